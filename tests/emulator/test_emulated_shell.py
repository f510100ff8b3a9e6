"""The small interpreter of job commands: what it runs, and what it openly does not run."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from runcrate_emulator.infrastructure.shell import Trace, trace_of


def output(trace: Trace) -> str:
    return "".join(line.text for line in trace.lines)


@pytest.mark.parametrize(
    ("command", "text", "code"),
    [
        ("echo hello world", "hello world\n", 0),
        ("echo -n a; echo b", "ab\n", 0),
        ("echo -e 'a\\tb'", "a\tb\n", 0),
        ("printf '%s is %d%%\\n' x 5", "x is 5%\n", 0),
        (
            "echo 'single $NAME' \"double $NAME\" plain${NAME}",
            "single $NAME double bob plainbob\n",
            0,
        ),
        ("echo a\\ b \\$NAME", "a b $NAME\n", 0),
        ('echo "say \\"hi\\""', 'say "hi"\n', 0),
        ("X=1; Y=$X$X; echo $Y $UNSET.", "11 .\n", 0),
        ("export A=b; echo $A", "b\n", 0),
        ("# a comment\necho one # two\n\necho 'three # four'", "one\nthree # four\n", 0),
        ("echo a#b", "a#b\n", 0),
        ("true && echo yes || echo no", "yes\n", 0),
        ("false && echo yes || echo no", "no\n", 0),
        ("false; echo $?", "1\n", 0),
        ("exit 3; echo never", "", 3),
        ("exit 300", "", 44),
        ("false; exit", "", 1),
        ("exit soon", "exit: soon: numeric argument required\n", 2),
        ("set -euo pipefail\nfalse\necho never", "", 1),
        (
            "echo x > f; echo y >> f; cat f; ls; rm f; cat f",
            "x\ny\nf\ncat: f: No such file or directory\n",
            1,
        ),
        ("mkdir -p d && cd d && pwd && touch z && ls /workspace", "/workspace/d\nd\n", 0),
        ("cp f g", "cp: cannot stat 'f': No such file or directory\n", 1),
        ("cp f", "cp: missing file operand\n", 1),
        ("echo gone > /dev/null 2>&1", "", 0),
        ("sleep soon", "sleep: invalid time interval 'soon'\n", 1),
        ("printf", "printf: missing format\n", 1),
        ("echo one \\\n two", "one two\n", 0),
        ("echo one;\r\necho two", "one\ntwo\n", 0),
        ("nvidia-smi", "GPU 0: A100 (emulated)\n", 0),
        (":", "", 0),
    ],
)
def test_commands(command, text, code):
    trace = trace_of(command, {"NAME": "bob", "RUNCRATE_GPU": "A100"})
    assert (output(trace), trace.exit_code) == (text, code)


def test_sleep_moves_the_time_of_what_follows():
    trace = trace_of("echo a; sleep 90; echo b; sleep 1.5m 1s", {})
    assert [(line.at_s, line.text) for line in trace.lines] == [(0, "a\n"), (90, "b\n")]
    assert trace.duration_s == 90 + 90 + 1
    assert trace_of("true", {}).duration_s == 1
    assert trace_of(f"sleep {'9' * 400}", {}).duration_s == 366 * 86400


def test_files_in_the_output_directory_are_outputs():
    trace = trace_of(
        "mkdir -p $RUNCRATE_OUTPUT_DIR/sub; echo 1 > $RUNCRATE_OUTPUT_DIR/sub/a.txt; sleep 5;"
        "echo model > model.pt; cp model.pt $RUNCRATE_OUTPUT_DIR; cp model.pt model.pt d/",
        {},
    )
    assert [(file.at_s, file.path, file.content) for file in trace.files] == [
        (5, "model.pt", b"model\n"),
        (0, "sub/a.txt", b"1\n"),
    ]


@pytest.mark.parametrize(
    "command",
    [
        "python train.py",
        "ls | wc -l",
        "echo $(date)",
        "echo `date`",
        "echo ${A:-b}",
        'echo "\\$A"',
        "for x in a b; do echo $x; done",
        "if true; then echo a; fi",
        "{ echo a; }",
        "(echo a)",
        "echo a &",
        "cat <<EOF\nx\nEOF",
        "&& echo",
        "echo a &&",
        "echo > a > b",
        "echo >",
        "echo 'open",
    ],
)
def test_what_it_cannot_run_is_said_openly_and_succeeds(command):
    trace = trace_of(command, {})
    assert output(trace).startswith("[emulator] not run")
    assert "a\n" not in output(trace)[len("[emulator] not run") :].replace(command, "")[:-1]
    assert (trace.exit_code, trace.duration_s) == (0, 30)


def test_a_long_foreign_command_is_shortened():
    assert len(output(trace_of("python " + "x" * 5000, {}))) < 300


def test_doubling_files_and_logs_have_an_end():
    growing = "echo 0123456789 > a\n" + "cat a a > b; cat b b > a\n" * 40
    trace = trace_of(growing + "cat a; cat a", {})
    assert "No space left on device" in output(trace)
    assert len(output(trace)) < 2_100_000


@given(st.text(alphabet="ab $'\"\\;&|<>(){}#=\n\t-/.0123echoaxitslp", max_size=60))
def test_any_text_has_a_trace(command):
    trace = trace_of(command, {})
    assert 0 <= trace.exit_code < 256
    assert trace.duration_s >= 1
