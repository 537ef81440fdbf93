"""The texts of `--help`. Knows no code."""

from __future__ import annotations

import argparse
from typing import NamedTuple, NoReturn


class Command(NamedTuple):
    """The `--help` texts of a command."""

    summary: str
    description: str
    examples: str
    module: str = ""  # below `proxy.cli`; empty: the command's name


DESCRIPTION = "Carries trace context and session across services that speak different formats (W3C, B3, Jaeger)."
EPILOG = """\
start here:
  ops-sidecar demo                       three services, three formats, one trace
  ops-sidecar run --app http://127.0.0.1:8080 --inject b3multi
  ops-sidecar COMMAND --help             each command with examples
"""

COMMANDS = {
    "run": Command(
        "run the sidecar",
        "Run the sidecar until SIGTERM or Ctrl-C. Settings come from the file, then the environment\n"
        "(OPS_SIDECAR_INBOUND__APP for inbound.app), then these flags; later wins. Without --config\n"
        "(or OPS_SIDECAR_CONFIG) no file is read.",
        """\
examples:
  # the app speaks B3, everybody else W3C: callers come in on 9080, the app calls out through 9081
  ops-sidecar run --app http://127.0.0.1:8080 \\
      --set inbound.propagation.inject=b3multi --set outbound.propagation.inject=tracecontext

  # no inbound listener, no admin, one port for outgoing calls
  ops-sidecar run --inbound off --admin off --outbound 127.0.0.1:9081 --inject jaeger

  # settings from a file, one key changed
  ops-sidecar run --config config/sidecar.yaml --set timeouts.connect_s=2

signals:
  TERM, INT   drain: readiness turns red, requests in flight finish (a second INT stops now)
  HUP         read the settings again (a change of the file does the same)

exit codes:
  0 stopped cleanly   1 could not start, cut requests while draining, or the app was gone
  2 wrong settings
""",
    ),
    "check": Command(
        "check the settings and show the effective ones",
        "Read the settings as `run` would, and print every effective key with its source.\nSecrets are not shown.",
        """\
examples:
  ops-sidecar check config/sidecar.yaml
  ops-sidecar check config/sidecar.yaml --changed      only what differs from the defaults
  OPS_SIDECAR_INBOUND__APP=http://127.0.0.1:3000 ops-sidecar check --json

exit codes:
  0 valid   2 not valid: each problem has key, value, source, and what would be right
""",
    ),
    "translate": Command(
        "translate trace headers from one format into another",
        "Translate the headers given as arguments, or on standard input one per line (`name: value`,\n"
        "with or without the `>` of curl -v).",
        """\
examples:
  ops-sidecar translate --to b3multi 'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  ops-sidecar translate --to tracecontext 'b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1'
  curl -sv http://127.0.0.1:8080 2>&1 | ops-sidecar translate --to jaeger --explain

exit codes:
  0 translated   1 no trace or session header found   2 the input cannot be read
""",
    ),
    "explain": Command(
        "explain what a sidecar with these settings makes of a request",
        "Read the settings as `run` would, and show for each listener and upstream what the headers say,\n"
        "who is believed, what goes out, and what is kept back. The headers are arguments, or come on\n"
        "standard input as for `translate`.",
        """\
examples:
  ops-sidecar explain --config config/sidecar.yaml 'b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1'
  ops-sidecar explain --config config/sidecar.yaml --listener inbound --peer 203.0.113.7 'traceparent: 00-…'
  ops-sidecar explain --config config/sidecar.yaml --listener outbound --host api.stripe.com < request.txt
  curl --data-binary @request.txt http://127.0.0.1:9082/explain       the same of a running sidecar

exit codes:
  0 explained   2 wrong settings, or the input cannot be read
""",
    ),
    "demo": Command("run the demo: three services, three formats, one trace", "", ""),
    "console": Command(
        "see traces: receive OTLP, keep it, show it",
        "Receive OTLP over HTTP and gRPC from sidecars and services, keep it in memory or in a file, and show it.",
        """\
examples:
  ops-sidecar console                                  page on http://127.0.0.1:9083, OTLP on 127.0.0.1:4318
  ops-sidecar console --store traces.db                what came survives a restart
  ops-sidecar console --listen 0.0.0.0:9083            others may look: the token is printed with the URL
  ops-sidecar console --forward http://tempo:4318      stands before another collector

exit codes:
  0 stopped cleanly   1 could not start   2 wrong settings
""",
    ),
    "traces": Command(
        "list the traces that a console holds",
        "Ask a running console for traces, newest first. Filter: status:error service:orders dur:>200ms format:b3\n"
        "session:ann is:conflict; -term excludes, a bare word looks everywhere.",
        """\
examples:
  ops-sidecar traces status:error 'dur:>1s'
  ops-sidecar traces --json --limit 500
  ops-sidecar traces --console http://console:9083/?token=...

exit codes:
  0 shown   1 the console does not answer   2 wrong arguments
""",
        "views.traces",
    ),
    "trace": Command(
        "show one trace that a console holds",
        "Ask a running console for one trace, as a waterfall with the formats of each hop, or as OTLP/JSON.",
        """\
examples:
  ops-sidecar trace 4bf92f3577b34da6a3ce929d0e0e4736
  ops-sidecar trace 4bf92f3577b34da6a3ce929d0e0e4736 --otlp > trace.json

exit codes:
  0 shown   1 it is not there, or the console does not answer   2 wrong arguments
""",
        "views.trace",
    ),
    "doctor": Command(
        "tell which service breaks traces, and what to set",
        "Ask a running console what sidecars saw of their apps: who drops, re-mints, doubles or flips contexts.",
        "examples:\n  ops-sidecar doctor\n  ops-sidecar doctor --service orders --json\n",
        "views.doctor",
    ),
    "migration": Command(
        "tell which format can be switched off",
        "Ask a running console who still sends and needs which format, and what is safe to stop.",
        "examples:\n  ops-sidecar migration\n  ops-sidecar migration --json\n",
        "views.migration",
    ),
    "top": Command(
        "show what passes now",
        "Ask a running console for the newest requests, again and again.",
        "examples:\n  ops-sidecar top status:5xx\n  ops-sidecar top --once\n",
        "views.top",
    ),
    "mcp": Command(
        "serve the console's questions as tools for agents",
        "Serve the questions of a running console by the Model Context Protocol, over standard input and output.\n"
        "Each answer is short, and has a link to the page. Needs:  pip install 'ops-sidecar[mcp]'",
        """\
examples:
  ops-sidecar mcp --console http://127.0.0.1:9083      a client starts this, and talks to it

settings of a client:
  {"mcpServers": {"traces": {"command": "ops-sidecar", "args": ["mcp"]}}}
""",
        "views.mcp",
    ),
    "health": Command(
        "check the health of a running sidecar",
        "Ask the admin listener of a running sidecar. Its address comes from the environment, the file in\n"
        "OPS_SIDECAR_CONFIG, or the default, as for `run`. Use it for health checks in containers without curl.",
        """\
examples:
  ops-sidecar health
  ops-sidecar health --ready --admin 127.0.0.1:9082
  ops-sidecar health --app                             also fails if the app accepts no connections

exit codes:
  0 healthy   1 no answer, or not healthy   2 wrong arguments
""",
    ),
    "wait": Command(
        "wait until the sidecar, its app or other services are there",
        "Ask again and again until the sidecar here is ready, and everything else that is named. Use it where\n"
        "something has to start after something else: in compose, in init scripts, in front of another command.",
        """\
examples:
  ops-sidecar wait                                         until the sidecar is ready
  ops-sidecar wait --app --timeout 30                      until its app accepts connections as well
  ops-sidecar wait --for billing:9080 --for http://collector:13133/
  ops-sidecar wait --no-sidecar --for 127.0.0.1:5432 -- ./migrate

exit codes:
  0 all are there, or what the command after -- ends with   1 the time is over   2 wrong arguments
""",
    ),
    "inject": Command(
        "put the sidecar into Kubernetes manifests",
        "Read manifests from FILE or standard input, put the sidecar into each pod, and write them to standard\n"
        "output. Deployments, StatefulSets, DaemonSets, Jobs, CronJobs, Pods and Lists are understood, and\n"
        "what kustomize gives to a function; everything else passes unchanged. Services in the same input get their\n"
        "targetPort moved to the sidecar; probes stay.\n"
        "What goes in: a native sidecar (an init container that goes on running; Kubernetes 1.29 or newer), or with\n"
        "--plain a container beside the app's. Injecting twice changes nothing, with other settings it updates.\n"
        "The settings below reach the sidecar as variables. The environment is not read.",
        """\
examples:
  # the app speaks B3, everybody else W3C
  ops-sidecar inject --image registry.internal/ops-sidecar:0.1.0 \\
      --set inbound.propagation.inject=b3multi < orders.yaml | kubectl apply -f -

  # settings from a ConfigMap that has the key sidecar.yaml; changes reach running pods
  ops-sidecar inject --set kubernetes.config_map=ops-sidecar < orders.yaml

  # what a chart renders
  helm template orders ./chart | ops-sidecar inject | kubectl apply -f -

in the pod's own metadata:
  label or annotation  ops-sidecar/inject: disabled    this pod is left alone
  annotation           ops-sidecar/settings: |         one KEY=VALUE a line, over the settings above
                         inbound.app=http://127.0.0.1:3000

exit codes:
  0 written   2 wrong settings or manifests: each problem is on standard error, and nothing is written
""",
    ),
    "uninject": Command(
        "take the sidecar out of Kubernetes manifests",
        "Read manifests from FILE or standard input, undo what `inject` did, and write them to standard output.",
        """\
examples:
  kubectl get deployment,service -o yaml | ops-sidecar uninject | kubectl apply -f -

exit codes:
  0 written   2 wrong manifests
""",
    ),
    "redirect": Command(
        "redirect an app's connections by rules of the kernel",
        "Set rules of nftables in this network namespace, in place of those that were set before. The sidecar needs\n"
        "outbound.transparent (or inbound.transparent for several ports). In Kubernetes an init container does this:\n"
        "--set kubernetes.outbound=redirect. Needs root, the capability NET_ADMIN, and the program nft.",
        """\
examples:
  # callers of port 8080 come to the inbound listener
  ops-sidecar redirect --inbound 8080:9080

  # calls to ports 80 and 8080 anywhere go out through the outbound listener; user 61080 is the sidecar's
  ops-sidecar redirect --outbound 80,8080:9081 --uid 61080 --exempt 10.96.0.10/32

  ops-sidecar redirect --outbound 80:9081 --uid 61080 --print        what it would set
  ops-sidecar redirect --undo

exit codes:
  0 set   1 nft is missing, or has refused   2 wrong arguments
""",
    ),
    "webhook": Command(
        "put the sidecar into pods as a cluster creates them",
        "Serve a mutating admission webhook, in a cluster: see config/kubernetes/webhook. Pods with the label\n"
        "ops-sidecar/inject: enabled get the sidecar, or all pods of namespaces with it. It only adds to them, and\n"
        "refuses none: whatever fails, the pod starts without a sidecar and is counted. Its certificates are its own,\n"
        "kept in a Secret and renewed; the API server is told which authority to believe. Callers reach the sidecar\n"
        "by redirection (kubernetes.inbound=redirect), since a pod does not know its Services.",
        """\
examples:
  ops-sidecar webhook --namespace ops-sidecar --set kubernetes.image=registry.internal/ops-sidecar:0.1.0
  ops-sidecar webhook --cert-file /tls/tls.crt --key-file /tls/tls.key      certificates of cert-manager

exit codes:
  0 stopped   1 could not start   2 wrong arguments or settings
""",
    ),
    "version": Command(
        "print the version",
        "Print the version of ops-sidecar and of what it runs on.",
        "examples:\n  ops-sidecar version --json\n",
    ),
}


class Parser(argparse.ArgumentParser):
    """A parser that suggests the flag that an unknown one may have meant."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message; exit 2."""
        import difflib  # imported here, so that other commands do not pay for it

        unknown = message.partition("unrecognized arguments: ")[2].split()
        known = [option for action in self._actions for option in action.option_strings]
        meant = [
            found[0] for flag in unknown if (found := difflib.get_close_matches(flag.partition("=")[0], known, n=1))
        ]
        super().error(f"{message} (did you mean {', '.join(meant)}?)" if meant else message)


def parser(name: str) -> Parser:
    """The argument parser of one command, with its texts, but no arguments yet."""
    command = COMMANDS[name]
    return Parser(
        prog=f"ops-sidecar {name}",
        description=command.description,
        epilog=command.examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
