{{- define "ops-sidecar.labels" -}}
app.kubernetes.io/name: ops-sidecar-webhook
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "ops-sidecar.owned" -}}
{{ include "ops-sidecar.labels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}
