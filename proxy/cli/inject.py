"""`ops-sidecar inject`: puts the sidecar into the pods of manifests, standard input to standard output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from proxy.cli.flags import add_settings_flags, collect_flags
from proxy.cli.help import parser
from proxy.cli.problems import print_problems
from proxy.errors import SettingsError, reason_of
from proxy.settings import Flag


def run(argv: Sequence[str]) -> int:
    """Inject once. 0: done; 2: the settings or the manifests are wrong, and nothing was written."""
    from proxy.kubernetes.configuration import configuration
    from proxy.kubernetes.function import function_settings
    from proxy.kubernetes.injection import Injected, inject

    arguments_parser = parser("inject")
    arguments_parser.add_argument("files", metavar="FILE", nargs="*", type=Path, help="manifests (default: stdin)")
    arguments_parser.add_argument("--plain", action="store_true", help="a plain container; the key kubernetes.mode")
    arguments_parser.add_argument("--image", metavar="IMAGE", help="the sidecar's image; the key kubernetes.image")
    add_settings_flags(arguments_parser)
    arguments = arguments_parser.parse_args(argv)
    flags, wrong = collect_flags(arguments)
    if arguments.plain:
        flags.append(Flag(("kubernetes", "mode"), "plain", "flag --plain"))
    if arguments.image is not None:
        flags.append(Flag(("kubernetes", "image"), arguments.image, "flag --image"))

    def change(documents: Sequence[object]) -> Injected:
        own, not_settings = function_settings(documents)
        configure = configuration(arguments.config, [*flags, *own], [*wrong, *not_settings])
        return inject(documents, configure)

    return transform(arguments.files, "inject", change)


def transform(files: Sequence[Path], name: str, change: Callable[..., object]) -> int:
    """Read manifests, `change` them, write them, and tell the notes. `change` may raise SettingsError."""
    from proxy.kubernetes.injection import Injected, InjectionError
    from proxy.kubernetes.manifests import ManifestError, Manifests

    try:
        manifests = Manifests(_read(files))
        changed = change(manifests.values)
        assert isinstance(changed, Injected)
        text = manifests.with_edits(changed.edits)
    except SettingsError as error:
        print_problems(error)
        return 2
    except (OSError, UnicodeDecodeError, ManifestError, InjectionError) as error:
        problems = error.problems if isinstance(error, InjectionError) else (reason_of(error),)
        for problem in problems:
            print(f"ops-sidecar {name}: {problem}", file=sys.stderr)
        return 2
    sys.stdout.write(text)
    for note in changed.notes:
        print(f"note: {note}", file=sys.stderr)
    return 0


def _read(files: Sequence[Path]) -> str:
    """All manifests as one stream."""
    if not files:
        if sys.stdin.isatty():
            raise OSError("give manifests as files, or on standard input")
        return sys.stdin.buffer.read().decode("utf-8")
    texts = [path.read_text(encoding="utf-8") for path in files]
    ended = [text if text.endswith("\n") else f"{text}\n" for text in texts]
    return "".join(
        text if number == 0 or text.startswith("---") else f"---\n{text}" for number, text in enumerate(ended)
    )
