from __future__ import annotations

import contextlib
from dataclasses import fields
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.engine.commands import SetHyperparameter
from workbench.engine.events import (
    CommandRejected,
    Diverged,
    EpochsEnded,
    Evaluated,
    Finished,
    GuardPassed,
    HyperparameterChanged,
    StepsTaken,
    StoppedEarly,
)
from workbench.engine.measurements import (
    BatchNormInspection,
    BatchNormStatistics,
    Boundary,
    Concern,
    Confusion,
    Fit,
    Gap,
    Histogram,
    Lag,
    LayerStatistics,
    Noise,
    Predictions,
    Score,
    ShownExamples,
)
from workbench.hyperparameters import TABLE, Hyperparameters
from workbench.protocol import wire
from workbench.protocol.hello import Hello
from workbench.protocol.reports import (
    Arrived,
    Begun,
    Branches,
    BranchSent,
    Crashed,
    Exported,
    ExportFailed,
    Inspected,
    Paused,
    PresetMade,
    RateFound,
    RateTried,
    Refused,
    Remark,
    Resumed,
    Saved,
    SaveFailed,
    SeriesSent,
    Travelling,
    UnusedChanged,
)
from workbench.protocol.requests import (
    BATCHNORM,
    MODEL,
    Adopt,
    Annotate,
    Begin,
    Delete,
    Describe,
    Export,
    FindRate,
    GoOn,
    GoTo,
    GoToBest,
    Inspect,
    MakePreset,
    Pause,
    Quit,
    Redo,
    Rename,
    Repeat,
    Resume,
    RunTo,
    Save,
    Switch,
    TakeStep,
    Undo,
)
from workbench.protocol.wire import LENGTH, REPORTS, REQUESTS, Codec
from workbench.session.branch import Best, Branch, Edit, Mark, Note, Result, Stop
from workbench.spec import Applies, Kind, Scale, Spec

NAN = float("nan")
PASSAGE = ((0, 0.0), (2, 1.0), (3, 1.5))
ROW = np.array([0.5, -1.5], np.float32)
LAYER = LayerStatistics(
    1, 2, 0.5, 0.25, 1.5, 1e-3, 0.25, 0.125, 0.5, Histogram(-1.0, 1.0, np.arange(3)), None,
    Histogram(0.0, 0.0, np.zeros(3, np.int64)), np.array([0.5]), np.array([NAN]),
    BatchNormStatistics(ROW, ROW, ROW, ROW, ROW, ROW, 1e-5),
)  # fmt: skip
NORMALIZED = BatchNormInspection(
    3, Gap("dev", 9, 8, 0.5, 0.25, NAN, NAN),
    Noise(9, 2, np.array([2, 4]), np.ones((1, 2)), np.zeros((1, 2)), np.ones(2), np.ones(2)),
    (Lag(1, np.array([NAN]), np.array([0.5])),), (Concern(0, -1, "why"),),
)  # fmt: skip
SHOWN = ShownExamples(np.ones((2, 4)), np.array([0, 1]), np.array([-1, 1]), np.array([NAN, 0.5]))
SEEN = Predictions(
    "dev", ("a", "b"), (2, 2),
    Boundary(np.zeros(2), np.ones(2), np.array([[0, -1]]), np.array([[0.5, NAN]]), np.ones((1, 2)), np.array([1])),
    Fit(np.ones(2), np.zeros(2), 1.0, NAN), Confusion(np.array([[1, 0], [2, 3]]), 1), SHOWN, SHOWN, np.ones((3, 2, 2)),
)  # fmt: skip
LIVE = Hyperparameters(l2=0.5, optimizer="momentum", keep_prob=(0.5, 1.0), epochs=3, learning_rate=1.0)
CHOICE = Spec(
    name="x", section="training", kind=Kind.CHOICE, default="a", choices=("a", "b"), formulas=("α", "β"), scale=Scale.LOG,
    applies=Applies.RESET, priority=1, help="so",
)  # fmt: skip
HELLO = Hello(
    1, "0.1", ("Begin",), (CHOICE, Spec(kind=Kind.REAL, default=(0.5, 1.0), low=-np.inf, high_open=True, per_layer=True))
)
CURVES = (SeriesSent("cost", np.array([1.0, NAN, np.inf])), SeriesSent("dev_cost", np.array([])))
EDITS = (Edit(3, "keep_prob", (0.5,), (1.0,), "why", 1), Edit(3, "epochs", 1, 2))
BRANCH = Branch(
    name="größer α", parent="main", fork=3, note="a\nb", edits=EDITS, notes=(Note(3, "here"),), marks=(Mark(3, "0" * 64),),
    stops=(Stop(4, 2, "the cost is nan", (1, 2), True),), best=Best(4, 0.5), checkpoint="s.step-000005-01234567.safetensors",
    step=5, result=Result(5, 1, Score.of(0.5, NAN), None, Score.of(0.5, 0.1)),
)  # fmt: skip
MESSAGES: list[tuple[Codec, object]] = [
    (REQUESTS, Begin("format = 2\n", "ä/b.toml", "", True)),
    *((REQUESTS, each) for each in (Pause(), Resume(), TakeStep(), Quit(), Save("/tmp/s.toml"))),
    (REQUESTS, Begin("", "", "s.toml", False, rebuild=True, autosave_seconds=0.5, snapshot_bytes=2**40)),
    *((REQUESTS, each) for each in (RunTo(9), Repeat(3), Undo(True), Undo(False), Redo(), GoTo(0), GoToBest(), GoOn())),
    (REQUESTS, Annotate(3, "ä", 1)),
    (REQUESTS, Adopt(5, 2, (SetHyperparameter("l2", 0.5), SetHyperparameter("keep_prob", (0.5, 1.0), 1)))),
    *((REQUESTS, each) for each in (Switch("größer α"), Rename("a", "b"), Describe("a", "b\nc"), Delete("a"))),
    *((REQUESTS, each) for each in (Export(7, -1), MakePreset(8, "p", ("l2", "epochs")), FindRate(1e-7, 10.0, 100))),
    *((REQUESTS, SetHyperparameter("x", value)) for value in (0.5, 3, "adam", True, (0.5, 1.0), (), 1e300)),
    (REQUESTS, Begin("", "", "", False, checkpoint=b"\x00\xff")),
    (REPORTS, HELLO),
    (REPORTS, Begun(3, 1, PASSAGE, LIVE, {"beta1": "not used"}, (2, 3), True, 9, (5, 0, 1), "binary", 2, CURVES, True, "so")),
    (REPORTS, Arrived(3, 1, PASSAGE, LIVE, {}, CURVES)),
    (REPORTS, Branches((BranchSent(Branch(), ()), BranchSent(BRANCH, CURVES)), "main", "größer α")),
    *((REPORTS, each) for each in (Travelling(3, 9), Remark("so"), RateTried(np.array([0.5]), np.array([NAN])), RateFound(NAN))),
    *((REQUESTS, Inspect(at)) for at in ((), (BATCHNORM, MODEL))),
    *((REPORTS, Inspected(3, *each)) for each in ((None, None), (NORMALIZED, None), (None, SEEN))),
    *((REPORTS, each) for each in (UnusedChanged({"l2": "so"}), GuardPassed(3), StoppedEarly(9, 3, 0.5))),
    *((REPORTS, each) for each in (Exported(7, "x", b"\x00\xff", 3, 1), ExportFailed(7, "no"), PresetMade(8, "text", 3))),
    (REPORTS, Evaluated(7, 1, Score.of(0.5, 0.1), None, (), look=True, guess=Score.of(0.7, 0.4))),
    (REPORTS, StepsTaken(7, 1, 0.25, np.array([0.5]), np.array([]), np.array([1e-300]), np.array([NAN]), np.array([1.0]))),
    (REPORTS, EpochsEnded(7, 2, np.array([0.5, NAN]))),
    (REPORTS, Evaluated(7, 1, Score.of(0.5, NAN), None, (LAYER, LAYER))),
    (REPORTS, Evaluated(7, 1, Score.of(0.5, 0.1), Score.of(np.inf, 0.1), ())),
    (REPORTS, HyperparameterChanged(7, "keep_prob", (0.5,), (1.0,), "not used", 3, True)),
    (REPORTS, CommandRejected(7, "x", 2, "no")),
    (REPORTS, Diverged(7, "the cost is nan", (1, 2, 3), 6)),
    (REPORTS, Finished(7, 1, Score.of(0.5, 0.1), None, Score.of(0.5, 0.1))),
    *((REPORTS, each) for each in (Paused(7), Resumed(7), Saved("s", 7), SaveFailed("s", "full"))),
    *((REPORTS, each) for each in (Refused("a\nb", True), Crashed("/tmp/x", "KeyError"))),
]  # fmt: skip


def unframed(frame: bytes) -> bytes:
    assert LENGTH.unpack(frame[: LENGTH.size]) == (len(frame) - LENGTH.size,)
    return frame[LENGTH.size :]


def test_every_kind_of_message_is_here():
    assert {type(message).__name__ for codec, message in MESSAGES if codec is REQUESTS} == set(REQUESTS.kinds)
    assert {type(message).__name__ for codec, message in MESSAGES if codec is REPORTS} == set(REPORTS.kinds)


@pytest.mark.parametrize(("codec", "message"), MESSAGES, ids=lambda each: type(each).__name__)
def test_a_message_arrives_as_it_was_sent(codec: Codec, message: object):
    back = codec.decode(unframed(codec.encode(message)))
    assert type(back) is type(message)
    # NaN is not equal to itself, nor arrays to one truth; their texts are.
    with np.printoptions(threshold=10**6, floatmode="unique"):
        assert repr(back) == repr(message)


def test_the_types_of_values_and_arrays_are_kept():
    for value in (3, 3.0, True, "3", (0.5, 1.0)):
        back = REQUESTS.decode(unframed(REQUESTS.encode(SetHyperparameter("x", value))))
        assert back.value == value
        assert type(back.value) is type(value)
    for row in (each for each in TABLE.values() if each.applies is Applies.STEP):
        (back,) = REPORTS.decode(unframed(REPORTS.encode(Hello(1, "", (), (row,))))).rows
        assert back == row
        assert type(back.default) is type(row.default)
        assert back.expected == row.expected
    arrived = Arrived(3, 1, PASSAGE, LIVE, {}, ())
    live = REPORTS.decode(unframed(REPORTS.encode(arrived))).hyperparameters
    assert live == LIVE
    assert [type(getattr(live, each.name)) for each in fields(LIVE)] == [type(getattr(LIVE, each.name)) for each in fields(LIVE)]
    layer = REPORTS.decode(unframed(REPORTS.encode(Evaluated(1, 1, Score.of(0.5, 0.5), None, (LAYER,))))).layers[0]
    assert layer.z.counts.dtype == np.int64
    assert layer.batchnorm.gamma.dtype == np.float32


@pytest.mark.parametrize("values", [3, "x", [0.5], None, {"a": 1}, np.array([1, 2])], ids=lambda each: type(each).__name__)
def test_what_is_no_array_of_numbers_with_a_fraction_is_refused_where_one_is_expected(values: object):
    body = msgspec.msgpack.encode(("SeriesSent", {"name": "cost", "values": values}), enc_hook=wire._encode_array)
    series = Codec(SeriesSent | Paused)
    with pytest.raises(msgspec.ValidationError, match=r"values"):
        series.decode(body)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_message_are_refused(body: bytes):
    for codec in (REQUESTS, REPORTS):
        with pytest.raises(msgspec.MsgspecError):
            codec.decode(body)


@given(st.sampled_from(MESSAGES), st.data())
def test_damaged_messages_are_refused_or_another_message_but_nothing_else(sent: tuple[Codec, object], data: st.DataObject):
    codec, message = sent
    body = bytearray(unframed(codec.encode(message)))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    body = body[: data.draw(st.integers(0, len(body)))]
    with contextlib.suppress(msgspec.MsgspecError):
        codec.decode(bytes(body))


def test_endless_nesting_is_refused():
    for name in (b"\xa5Pause", b"\xa4Save", b"\xa5Begin"):
        with pytest.raises(msgspec.MsgspecError):
            REQUESTS.decode(b"\x92" + name + b"\x91" * 1_000_000)


def test_every_request_says_whether_it_changes_the_run():
    kinds: dict[str, Any] = {**REQUESTS.kinds}
    changing = {name for name, kind in kinds.items() if kind.changes_run is True}
    assert changing == {
        "SetHyperparameter", "Resume", "TakeStep", "RunTo", "Repeat", "Undo", "Redo", "GoOn", "Adopt", "Rename", "Describe",
        "Delete", "Annotate",
    }  # fmt: skip
    assert {name for name, kind in kinds.items() if kind.changes_run is False} == kinds.keys() - changing


def test_a_report_is_no_order_and_an_order_no_report():
    with pytest.raises(msgspec.ValidationError, match="unknown message"):
        REQUESTS.decode(unframed(REPORTS.encode(Paused(1))))
    with pytest.raises(msgspec.ValidationError, match="unknown message"):
        REPORTS.decode(unframed(REQUESTS.encode(Pause())))
