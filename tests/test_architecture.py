"""The rules of the design that a tool can keep. A convention without a check here is a wish."""

import ast
import importlib
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.admin import ModelAdmin
from django.db import models

ROOT = Path(__file__).resolve().parent.parent
APPS = ROOT / "apps"
PROVIDERS = APPS / "connectors" / "providers"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

FILE_LINES, FUNCTION_LINES = 500, 60

# The readers of ledger files come from no vendor: their folder's name is a word of the field.
NOT_VENDORS = {"ledger_files"}

# Models without a way to one organisation, each with its reason.
WITHOUT_TENANT = {
    "organisations.User": "a person may work for several bureaus; memberships say for which",
    "sync.LaneProcess": "a process of a host, which works for all organisations",
    "organisations.SecondFactor": "belongs to a person, who may work for several bureaus",
    "organisations.RecoveryCode": "as SecondFactor",
    "connectors.RateBucket": "a limit of the vendor's side, shared by all processes; holds a key's digest and counts",
    "sync.Chore": "names what is done once a day, and the day",
}

# Files of a provider's folder (SDK.md 1); a module that grew is a package of the same name.
PROVIDER_MODULES = ("provider", "read", "shapes", "refusals", "sandbox")

BANNED_NAMES = {"utils", "helpers", "common", "misc", "signals", "base_models", "constants"}

# Columns in floating point, which no amount, quantity or rate may be.
SECONDS = {
    "connectors.Exchange.seconds": "how long a request took",
    "connectors.OAuthGrant.lease_until": "a moment in seconds since 1970, until which one process renews",
    "connectors.RateBucket.resets_at": "a moment in seconds since 1970, as the limiter counts it",
    "sync.Turn.served": "seconds of work",
    "sync.Turn.level": "seconds of work",
}

MONEY_FOLDERS = ("records", "formats", "ledger", "connectors/providers")


def layers() -> dict[str, int]:
    """Rank of every app, 0 lowest, read from the import-linter contract so that it is written once."""
    contract = next(c for c in PYPROJECT["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    names = [[name.strip(" ()") for name in row.split("|")] for row in reversed(contract["layers"])]
    return {name: rank for rank, row in enumerate(names) for name in row}


@cache
def sources(*, tests: bool = False) -> tuple[Path, ...]:
    """Our Python files, migrations left out."""
    folders = [APPS, ROOT / "config", *([ROOT / "tests"] if tests else [])]
    found = (path for folder in folders for path in folder.rglob("*.py"))
    return (ROOT / "manage.py", *sorted(path for path in found if "migrations" not in path.parts))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(path: Path) -> Iterator[str]:
    """Every module that a file names in an import, relative ones made absolute."""
    package = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package[: -node.level]) if node.level else ""
            module = ".".join(part for part in (start, node.module or "") if part)
            yield from (f"{module}.{alias.name}" for alias in node.names)


def provider_folders() -> list[Path]:
    return sorted(path.parent for path in PROVIDERS.glob("*/__init__.py"))


def our_models() -> list[type[models.Model]]:
    return [model for model in apps.get_models(include_auto_created=True) if model.__module__.startswith("apps.")]


def model_name(model: type[models.Model]) -> str:
    return model._meta.label


# -- Layers -----------------------------------------------------------------------------------------------------------


def test_imports_follow_the_layers() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_app_has_a_layer() -> None:
    folders = {path.parent.name for path in APPS.glob("*/__init__.py")}
    assert folders <= set(layers())


def test_foreign_keys_follow_the_layers() -> None:
    rank = layers()
    upward = [
        f"{model_name(model)}.{field.name} -> {model_name(field.related_model)}: keep a plain id instead"
        for model in our_models()
        for field in (*model._meta.fields, *model._meta.many_to_many)
        if field.is_relation and field.related_model in our_models()
        for mine, theirs in [(model._meta.app_label, field.related_model._meta.app_label)]
        if mine != theirs and rank[theirs] >= rank[mine]
    ]
    assert not upward, upward


def test_models_and_admins_stand_in_the_files_named_for_them() -> None:
    misplaced = [f"{model.__module__}.{model.__name__}" for model in our_models() if not _in(model, "models")]
    admins = [cls for cls in _subclasses(ModelAdmin) if cls.__module__.startswith("apps.")]
    # `core` has the admin bases and `office` the site with its pages over several apps.
    misplaced += [
        f"{cls.__module__}.{cls.__name__}"
        for cls in admins
        if not _in(cls, "admin") and cls.__module__.split(".")[1] not in {"core", "office"}
    ]
    assert not misplaced, misplaced


def _in(cls: type, file: str) -> bool:
    return cls.__module__.split(".")[2] == file


def _subclasses(cls: type) -> set[type]:
    return {sub for direct in cls.__subclasses__() for sub in (direct, *_subclasses(direct))}


def test_no_drawer_for_everything_and_no_signals() -> None:
    drawers = [short(path) for path in sources() if {path.stem, path.parent.name} & BANNED_NAMES]
    assert not drawers, drawers
    signals = [short(path) for path in sources() if any("db.models.signals" in name for name in imported(path))]
    assert not signals, signals


# -- Tenants ----------------------------------------------------------------------------------------------------------


def test_every_model_has_a_path_to_its_organisation() -> None:
    wrong = [
        f"{model_name(model)}: {problem}"
        for model in our_models()
        if not model._meta.auto_created and model_name(model) not in WITHOUT_TENANT
        if (problem := _tenant_problem(model))
    ]
    assert not wrong, wrong


def test_models_without_a_tenant_are_still_there_and_say_so() -> None:
    present = {model_name(model): model for model in our_models()}
    scoped = [name for name in WITHOUT_TENANT if name in present and getattr(present[name], "TENANT_PATH", None)]
    assert not scoped, f"these have a tenant path now: take them off the list: {scoped}"


def _tenant_problem(model: type[models.Model]) -> str:
    path = getattr(model, "TENANT_PATH", None)
    if not isinstance(path, str):
        return "no TENANT_PATH, and not in WITHOUT_TENANT with a reason"
    if path == "pk":
        return "" if model_name(model) == "organisations.Organisation" else "only an organisation is its own tenant"
    reached: type[models.Model] = model
    for step in path.split("__"):
        named = {name: field for field in reached._meta.fields for name in (field.name, field.attname)}
        if step not in named:
            return f"TENANT_PATH {path!r}: {model_name(reached)} has no field {step!r}"
        if not named[step].is_relation:
            below = layers()[model._meta.app_label] < layers()["organisations"]
            return "" if step == "organisation_id" and below else f"TENANT_PATH {path!r} ends at a plain value"
        reached = named[step].related_model
    return "" if model_name(reached) == "organisations.Organisation" else f"{path!r} ends at {model_name(reached)}"


# -- Vendors ----------------------------------------------------------------------------------------------------------


def test_no_vendor_name_outside_its_folder() -> None:
    words = [re.escape(path.name).replace("_", "[ _-]?") for path in provider_folders() if path.name not in NOT_VENDORS]
    pages = [path for folder in (APPS, ROOT / "templates") for path in folder.rglob("*.html")]
    shared = [path for path in (*sources(), *pages) if PROVIDERS not in path.parents]
    pattern = re.compile("|".join(words) or r"(?!)", re.IGNORECASE)
    named = [
        f"{short(path)}:{number}: {line.strip()}"
        for path in shared
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not named, "\n".join(named)


def test_only_the_address_guard_opens_connections() -> None:
    """What it judged is connected to: a name that is looked up again may lead elsewhere. The sandbox asks its own."""
    ways = re.compile(
        r"create_connection|socket\.socket\(|urlopen|HTTPS?Connection\(|requests\.(get|post|put|request)\("
    )
    found = {str(path.relative_to(ROOT)) for path in APPS.rglob("*.py") if ways.search(path.read_text("utf-8"))}
    assert found == {"apps/core/addresses.py", "apps/sandbox/serving.py"}, (
        "use apps.core.addresses.connect or the SDK's transport"
    )


def test_a_provider_imports_the_sdk_formats_and_records_only() -> None:
    foreign = []
    for folder in provider_folders():
        own = f"apps.connectors.providers.{folder.name}"
        allowed = ("apps.connectors.sdk", "apps.formats", "apps.records", own)
        foreign += [
            f"{short(path)} imports {name}"
            for path in folder.rglob("*.py")
            for name in imported(path)
            if name.split(".")[0] in {"django", "rest_framework", "django_q", "config", "tests"}
            or (name.startswith("apps.") and not f"{name}.".startswith(tuple(f"{prefix}." for prefix in allowed)))
        ]
    assert not foreign, foreign


@pytest.mark.parametrize("folder", provider_folders(), ids=lambda folder: folder.name)
def test_a_provider_folder_is_whole(folder: Path) -> None:
    missing = [name for name in PROVIDER_MODULES if not ((folder / f"{name}.py").exists() or (folder / name).is_dir())]
    missing += [name for name in ("NOTES.md", "static") if not (folder / name).exists()]
    assert not missing, f"{folder.name} lacks {missing}"
    declared = importlib.import_module(f"apps.connectors.providers.{folder.name}.provider").PROVIDER
    assert declared.slug == folder.name


def test_the_registry_has_every_provider_folder() -> None:
    registry = importlib.import_module("apps.connectors.registry")
    assert {path.name for path in provider_folders()} <= set(registry.all_providers())


# -- Money ------------------------------------------------------------------------------------------------------------


def test_no_money_in_floating_point() -> None:
    found = [
        f"{short(path)}:{node.lineno}"
        for path in sources()
        # A sandbox speaks its vendor's JSON, where a number is a number.
        if short(path).removeprefix("apps/").startswith(MONEY_FOLDERS) and "sandbox" not in short(path)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
    ]
    assert not found, f"float() where amounts are: {found}"
    fields = [
        f"{model_name(model)}.{field.name}"
        for model in our_models()
        for field in model._meta.fields
        if isinstance(field, models.FloatField) and f"{model_name(model)}.{field.name}" not in SECONDS
    ]
    assert not fields, fields


# -- Numbers ----------------------------------------------------------------------------------------------------------


def test_a_number_from_outside_is_read_in_one_way() -> None:
    """`"²".isdigit()` holds, and `int("²")` fails: what people and programs send goes through core.requests.number_in."""
    bare = [
        f"{short(path)}:{number}: {line.strip()}"
        for path in sources()
        if PROVIDERS not in path.parents and APPS / "formats" not in path.parents  # their signs are their vendor's
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if ".isdigit()" in line and ".isascii() and" not in line
    ]
    assert not bare, "\n".join(bare)


# -- Sizes ------------------------------------------------------------------------------------------------------------


def test_files_and_functions_keep_their_size() -> None:
    files = {short(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    functions = {
        f"{short(path)}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in sources()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    # What we aim at (STYLE.md): files 90 / 300 / 500 lines, functions 10 / 35 / 60. Shown by `pytest -rP`.
    for kind, sizes in (("files", [n for n in files.values() if n]), ("functions", list(functions.values()))):
        cut = statistics.quantiles(sizes, n=20)
        print(f"{kind}: median {statistics.median(sizes):.0f}, 95th {cut[-1]:.0f}, max {max(sizes)}")  # noqa: T201
    long = [f"{name}: {size}" for name, size in files.items() if size > FILE_LINES]
    long += [f"{name}: {size}" for name, size in functions.items() if size > FUNCTION_LINES]
    assert not long, long


# -- Repository -------------------------------------------------------------------------------------------------------


def tracked() -> list[Path]:
    """Files of the repository, new ones too; nothing where this is no checkout."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return [path for name in done.stdout.splitlines() if (path := ROOT / name).is_file()]


def test_no_file_names_a_package_registry() -> None:
    # Put together here, so that this file does not name them either.
    words = ["index" + "-url", "find" + "-links", "pypi" + ".org", "files.python" + "hosted", "registry.npm" + "js"]
    pattern = re.compile("|".join(map(re.escape, words)).encode())
    named = [short(path) for path in tracked() if pattern.search(path.read_bytes())]
    assert not named, named


def test_constraints_pin_every_dependency() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    loose = [line for line in pins if not re.fullmatch(r"[\w.-]+==[\w.+!]+", line)]
    assert not loose, loose
    project = PYPROJECT["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    normal = {_normal(line) for line in pins}
    assert [line for line in wanted if _normal(re.sub(r"\[.*?\]", "", line)) not in normal] == []


def _normal(pin: str) -> str:
    name, _, version = pin.partition("==")
    return f"{re.sub(r'[-_.]+', '-', name).lower()}=={version}"
