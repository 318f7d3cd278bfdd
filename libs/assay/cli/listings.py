"""Tables of models and of versions."""

from collections.abc import Mapping, Sequence

from assay.cli.screen import Screen, last, moment, short_version, size
from assay.cli.sparklines import sparkline
from assay.cli.tables import Column
from assay.metadata.v1.resources_pb2 import Model, ModelVersion, State
from assay.type.v1.metric_pb2 import Metric

_MODEL_COLUMNS = (
    Column("MODEL"),
    Column("VERSIONS", goes=5),
    Column("STATE", goes=4),
    Column("TIER", goes=2),
    Column("OWNERS", goes=3, least=12),
    Column("TAGS", goes=6, least=12),
    Column("CHANGED", goes=1),
)
_SPARKLINE_MARGIN = 64  # for the key's blanks and four numbers


def show_models(screen: Screen, models: Sequence[Model], empty: str) -> None:
    """Print models, one a row."""
    rows = [
        [
            called(model),
            str(model.latest_number),
            state(model.state),
            model.tier,
            ", ".join(model.owners),
            pairs(model.tags),
            moment(model.update_time),
        ]
        for model in models
    ]
    screen.table(_MODEL_COLUMNS, rows, empty)


def show_versions(
    screen: Screen,
    versions: Sequence[ModelVersion],
    empty: str,
    *,
    keys: Sequence[str] = (),
    of_one_model: bool = False,
) -> None:
    """Print versions, one a row, each with the metrics `keys` in columns of their own, or all."""
    columns = (
        Column("N" if of_one_model else "VERSION"),
        Column("STATE", goes=5),
        Column("ALIASES", goes=7, least=12),
        Column("STAGES", goes=8, least=12),
        *([Column(key) for key in keys] or [Column("METRICS", goes=6, least=16)]),
        Column("SIZE", goes=1),
        Column("BY", goes=2),
        Column("REGISTERED", goes=3),
    )
    rows = [
        [
            str(version.number) if of_one_model else short_version(version.name),
            state(version.state),
            ", ".join(version.aliases),
            ", ".join(version.stages),
            *([_value(version, key) for key in keys] or [metrics(version)]),
            size(version.size_bytes),
            screen.who(version.creator),
            moment(version.create_time),
        ]
        for version in versions
    ]
    screen.table(columns, rows, empty)


def show_trends(screen: Screen, versions: Sequence[ModelVersion], keys: Sequence[str]) -> None:
    """Print how each metric went from the first of the versions to the last, in one line."""
    ordered = sorted(versions, key=lambda version: version.number)
    for key in keys:
        values = [_number(version, key) for version in ordered]
        known = [value for value in values if value is not None]
        if not known:
            screen.say(f"{key}: none of these versions has it.")
            continue
        bars = sparkline(values, screen.width - len(key) - _SPARKLINE_MARGIN)
        ends = f"{known[0]:g} to {known[-1]:g}, lowest {min(known):g}, highest {max(known):g}"
        screen.say(f"{key}  {bars}  {ends}")


def called(model: Model) -> str:
    """Return what people call a model, and its lasting name where that is another."""
    lasting = last(model.name)
    if not model.display_name or model.display_name == lasting:
        return lasting
    return f"{model.display_name} ({lasting})"


def metrics(version: ModelVersion) -> str:
    """Return all metrics of a version in one line."""
    return ", ".join(
        f"{_label(metric)}={metric.value:g}{metric.unit}" for metric in version.metrics
    )


def pairs(mapping: Mapping[str, str]) -> str:
    """Return a mapping in one line, by key."""
    return ", ".join(f"{key}={mapping[key]}" for key in sorted(mapping))


def state(number: int) -> str:
    """Return a state in small letters."""
    return State.Name(State.ValueType(number)).removeprefix("STATE_").lower()


def _label(metric: Metric) -> str:
    return f"{metric.key}[{metric.dataset}]" if metric.dataset else metric.key


def _value(version: ModelVersion, key: str) -> str:
    return ", ".join(f"{m.value:g}{m.unit}" for m in version.metrics if m.key == key)


def _number(version: ModelVersion, key: str) -> float | None:
    """Return the metric `key` of a version, its first one of several data sets."""
    return next((m.value for m in version.metrics if m.key == key), None)
