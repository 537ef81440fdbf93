{{/*
The sidecar in a chart of yours. Each template takes the root context, and reads .Values.opsSidecar:

  spec:
    initContainers:
      {{- include "ops-sidecar.initContainers" . | nindent 6 }}
    containers:
      - name: app
        env:
          {{- include "ops-sidecar.appEnv" . | nindent 10 }}
      {{- include "ops-sidecar.containers" . | nindent 6 }}
    volumes:
      {{- include "ops-sidecar.volumes" . | nindent 6 }}

and in the Service:  targetPort: {{ include "ops-sidecar.targetPort" . }}

It gives what `ops-sidecar inject` gives with the same settings; a test compares the two.
*/}}

{{/* The values, with the defaults of this library under them. */}}
{{- define "ops-sidecar.values" -}}
{{- $defaults := merge (dict "serviceName" .Release.Name) (deepCopy (index .Values "ops-sidecar-lib")) -}}
{{- $values := mergeOverwrite $defaults (deepCopy (default dict .Values.opsSidecar)) -}}
{{- if not (has $values.mode (list "native" "plain")) -}}
{{- fail (printf "opsSidecar.mode is %q: expected native or plain" $values.mode) -}}
{{- end -}}
{{- if not (has $values.inbound (list "service" "redirect" "off")) -}}
{{- fail (printf "opsSidecar.inbound is %q: expected service, redirect or off" $values.inbound) -}}
{{- end -}}
{{- if not (has $values.outbound (list "proxy" "redirect" "off")) -}}
{{- fail (printf "opsSidecar.outbound is %q: expected proxy, redirect or off" $values.outbound) -}}
{{- end -}}
{{- toYaml $values -}}
{{- end -}}

{{/* Init containers: rules if any are needed, and a native sidecar. */}}
{{- define "ops-sidecar.initContainers" -}}
{{- $values := include "ops-sidecar.values" . | fromYaml -}}
{{- if or (eq $values.inbound "redirect") (eq $values.outbound "redirect") }}
- name: ops-sidecar-redirect
  image: {{ $values.image | quote }}
  {{- with $values.pullPolicy }}
  imagePullPolicy: {{ . }}
  {{- end }}
  args:
    - redirect
    - --uid
    - {{ int $values.runAsUser | quote }}
    {{- if not $values.dualStack }}
    - --family
    - ipv4
    {{- end }}
    {{- if eq $values.inbound "redirect" }}
    - --inbound
    - {{ printf "%d:%d" (int $values.appPort) (int $values.ports.inbound) | quote }}
    {{- end }}
    {{- if eq $values.outbound "redirect" }}
    - --outbound
    - {{ printf "%s:%d" (join "," $values.redirectPorts) (int $values.ports.outbound) | quote }}
    {{- end }}
  resources:
    requests:
      cpu: 10m
      memory: 32Mi
    limits:
      memory: 128Mi
  securityContext:
    runAsNonRoot: false
    runAsUser: 0
    runAsGroup: 0
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop: [ALL]
      add: [NET_ADMIN]
    seccompProfile:
      type: RuntimeDefault
{{- end }}
{{- if eq $values.mode "native" }}
{{ include "ops-sidecar.container" . }}
{{- end }}
{{- end -}}

{{/* Containers: a plain sidecar. */}}
{{- define "ops-sidecar.containers" -}}
{{- $values := include "ops-sidecar.values" . | fromYaml -}}
{{- if eq $values.mode "plain" }}
{{ include "ops-sidecar.container" . }}
{{- end }}
{{- end -}}

{{- define "ops-sidecar.container" -}}
{{- $values := include "ops-sidecar.values" . | fromYaml -}}
{{- $health := int $values.ports.health -}}
- name: ops-sidecar
  image: {{ $values.image | quote }}
  {{- with $values.pullPolicy }}
  imagePullPolicy: {{ . }}
  {{- end }}
  args: [run]
  {{- if eq $values.mode "native" }}
  restartPolicy: Always
  {{- end }}
  env:
    {{- range $name, $value := include "ops-sidecar.environment" . | fromYaml }}
    - name: {{ $name }}
      value: {{ $value | quote }}
    {{- end }}
  ports:
    {{- if ne $values.inbound "off" }}
    - name: ops-inbound
      containerPort: {{ int $values.ports.inbound }}
      protocol: TCP
    {{- end }}
    - name: ops-health
      containerPort: {{ $health }}
      protocol: TCP
  startupProbe:
    httpGet:
      path: /healthz
      port: {{ $health }}
    periodSeconds: 1
    failureThreshold: 60
  readinessProbe:
    httpGet:
      path: /readyz
      port: {{ $health }}
    periodSeconds: 5
  livenessProbe:
    httpGet:
      path: /healthz
      port: {{ $health }}
    periodSeconds: 10
    timeoutSeconds: 3
  {{- with $values.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: {{ int $values.runAsUser }}
    runAsGroup: {{ int $values.runAsUser }}
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop: [ALL]
    seccompProfile:
      type: RuntimeDefault
  {{- if $values.configMap }}
  volumeMounts:
    - name: ops-sidecar-settings
      mountPath: /etc/ops-sidecar
      readOnly: true
  {{- end }}
{{- end -}}

{{/* The sidecar's variables, NAME: VALUE. Settings of the user win. */}}
{{- define "ops-sidecar.environment" -}}
{{- $values := include "ops-sidecar.values" . | fromYaml -}}
{{- $inbound := int $values.ports.inbound -}}
{{- $outbound := int $values.ports.outbound -}}
{{- $health := int $values.ports.health -}}
{{- $made := dict "OPS_SIDECAR_ADMIN__PUBLIC_LISTEN" (ternary (printf "0.0.0.0:%d,[::]:%d" $health $health) (printf "0.0.0.0:%d" $health) $values.dualStack) -}}
{{- if eq $values.inbound "off" -}}
{{- $_ := set $made "OPS_SIDECAR_INBOUND__LISTEN" "off" -}}
{{- else -}}
{{- $_ := set $made "OPS_SIDECAR_INBOUND__APP" (printf "http://127.0.0.1:%d" (int $values.appPort)) -}}
{{- if $values.dualStack -}}
{{- $_ := set $made "OPS_SIDECAR_INBOUND__LISTEN" (printf "0.0.0.0:%d,[::]:%d" $inbound $inbound) -}}
{{- else if ne $inbound 9080 -}}
{{- $_ := set $made "OPS_SIDECAR_INBOUND__LISTEN" (printf "0.0.0.0:%d" $inbound) -}}
{{- end -}}
{{- end -}}
{{- if eq $values.outbound "off" -}}
{{- $_ := set $made "OPS_SIDECAR_OUTBOUND__LISTEN" "off" -}}
{{- else if eq $values.outbound "redirect" -}}
{{- $_ := set $made "OPS_SIDECAR_OUTBOUND__TRANSPARENT" "true" -}}
{{- $_ := set $made "OPS_SIDECAR_OUTBOUND__LISTEN" (ternary (printf "127.0.0.1:%d,[::1]:%d" $outbound $outbound) (printf "127.0.0.1:%d" $outbound) $values.dualStack) -}}
{{- else if ne $outbound 9081 -}}
{{- $_ := set $made "OPS_SIDECAR_OUTBOUND__LISTEN" (printf "127.0.0.1:%d" $outbound) -}}
{{- end -}}
{{- if eq $values.mode "native" -}}
{{- $_ := set $made "OPS_SIDECAR_DRAIN__GRACE_S" "0" -}}
{{- $_ := set $made "OPS_SIDECAR_DRAIN__OUTBOUND_LINGER_S" "0" -}}
{{- end -}}
{{- $_ := set $made "OPS_SIDECAR_SERVICE__NAME" (default .Release.Name $values.serviceName) -}}
{{- if $values.configMap -}}
{{- $_ := set $made "OPS_SIDECAR_CONFIG" "/etc/ops-sidecar/sidecar.yaml" -}}
{{- end -}}
{{- range $key, $value := $values.settings -}}
{{- $_ := set $made (printf "OPS_SIDECAR_%s" ($key | upper | replace "." "__")) (toString $value) -}}
{{- end -}}
{{- toYaml $made -}}
{{- end -}}

{{/* Variables for the app's containers, whose calls then pass the sidecar. */}}
{{- define "ops-sidecar.appEnv" -}}
{{- $values := include "ops-sidecar.values" . | fromYaml -}}
{{- if eq $values.outbound "proxy" -}}
{{- $proxy := printf "http://127.0.0.1:%d" (int $values.ports.outbound) -}}
{{- $none := "localhost,127.0.0.1,::1,169.254.169.254,fd00:ec2::254,metadata.google.internal" -}}
- name: HTTP_PROXY
  value: {{ $proxy | quote }}
- name: http_proxy
  value: {{ $proxy | quote }}
- name: NO_PROXY
  value: {{ $none | quote }}
- name: no_proxy
  value: {{ $none | quote }}
{{- end -}}
{{- end -}}

{{- define "ops-sidecar.volumes" -}}
{{- $values := include "ops-sidecar.values" . | fromYaml -}}
{{- if $values.configMap -}}
- name: ops-sidecar-settings
  configMap:
    name: {{ $values.configMap }}
{{- end -}}
{{- end -}}

{{/* Where a Service leads: to the sidecar, or to the app where rules redirect its callers. */}}
{{- define "ops-sidecar.targetPort" -}}
{{- $values := include "ops-sidecar.values" . | fromYaml -}}
{{- ternary $values.ports.inbound $values.appPort (eq $values.inbound "service") | int -}}
{{- end -}}

{{/* Labels for the pod: the PodMonitor and the webhook know it by them. */}}
{{- define "ops-sidecar.podLabels" -}}
ops-sidecar/injected: "true"
{{- end -}}
