"""The small interpreter of job commands: what it runs, and what it openly does not run."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from runcrate_emulator.infrastructure.shell import Trace, trace_of
from runcrate_emulator.infrastructure.shell_state import Hardware


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
        ("echo ${NAME:-x} ${UNSET:-ab}", "bob ab\n", 0),
        ("echo one | cat | wc -l", "1\n", 0),
        ("printf 'b\na\nb\n' | sort | tail -n 2 | head -1", "b\n", 0),
        ("printf 'loss 2\nok\n' | grep loss && echo found", "loss 2\nfound\n", 0),
        ("echo x | grep -q y; echo $?", "1\n", 0),
        ("false | echo a || echo b", "a\n", 0),
        ("false && echo a | cat; echo c", "c\n", 0),
        ("echo a | tee f | wc -c; cat f", "2\na\n", 0),
        ("set -e; false || echo kept; echo on", "kept\non\n", 0),
        ("seq 3 | tail -n1; seq 2 3; seq x", "3\n2\n3\nseq: needs one or two whole numbers\n", 1),
        ("A=1 printenv A; echo .$A", "1\n.\n", 0),
        ("env | grep NAME", "NAME=bob\n", 0),
        ("env printenv NAME; printenv NONE", "bob\n", 1),
        ("bash -c 'echo in; exit 4'; echo $?", "in\n4\n", 0),
        ("[ $NAME = bob ] && [ 2 -gt 1 ] && test -z '' && echo yes", "yes\n", 0),
        ("touch f; [ -f f ] && [ ! x ] ; echo $?", "test: not understood\n2\n", 0),
        ("echo a > f; mv f g; cat g; cat f", "a\ncat: f: No such file or directory\n", 1),
        ("whoami", "root\n", 0),
        (":", "", 0),
    ],
)
def test_commands(command, text, code):
    trace = trace_of(command, {"NAME": "bob"})
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
        "echo $(date)",
        "echo `date`",
        "echo ${A%b}",
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


@pytest.mark.parametrize(
    ("source", "text", "code"),
    [
        ("print('hello', 1 + 2)", "hello 3\n", 0),
        ("import sys; print(1); sys.exit(3); print(2)", "1\n", 3),
        ("raise SystemExit('no data')", "no data\n", 1),
        ("raise ValueError('bad')", "Traceback (most recent call last):\nValueError: bad\n", 1),
        ("import os; print(os.environ['NAME'], os.getenv('NONE', 'x'))", "bob x\n", 0),
        ("import os; print(f'hi {os.environ[\"NAME\"]}!')", "hi bob!\n", 0),
        ("print(", "SyntaxError: invalid syntax\n", 1),
        ("exit()", "", 0),
    ],
)
def test_python_programs_that_only_print_and_end_are_told(source, text, code):
    trace = trace_of('python -c "$SOURCE"', {"NAME": "bob", "SOURCE": source})
    assert (output(trace), trace.exit_code) == (text, code)


def test_python_sleeps_on_the_clock():
    trace = trace_of("python3 -c 'import time; print(1); time.sleep(7); print(2)'", {})
    assert [(line.at_s, line.text) for line in trace.lines] == [(0, "1\n"), (7, "2\n")]
    assert trace.duration_s == 7


@pytest.mark.parametrize(
    "source",
    [
        "open('x')",
        "print(2 ** 99999999)",
        "print('a' * 10**9)",
        "import torch; print(torch.cuda.is_available())",
        "for i in range(3): print(i)",
        "print(os.environ['NONE'])",
        "print(1, end='')",
        "print(f'{1:>9}')",
        "print('a' + 1)",
        "time.sleep(-1)",
        "x = 1",
    ],
)
def test_python_beyond_that_is_not_run(source):
    trace = trace_of('python -c "$SOURCE"', {"SOURCE": source})
    assert output(trace).startswith("[emulator] not run: python -c")
    assert (trace.exit_code, trace.duration_s) == (0, 30)


GPUS = Hardware("H100", 2, 81920)


def test_the_gpus_of_the_machine_are_shown():
    table = output(trace_of("nvidia-smi", {}, GPUS))
    assert table.count("H100 (emulated)") == 2
    assert "81920MiB" in table
    assert len({len(line) for line in table.splitlines()}) == 1
    listed = output(trace_of("nvidia-smi -L | wc -l", {}, GPUS))
    assert listed == "2\n"
    query = "nvidia-smi --query-gpu=index,name,memory.total --format=csv"
    assert output(trace_of(query, {}, GPUS)).splitlines() == [
        "index, name, memory.total [MiB]",
        "0, NVIDIA H100 (emulated), 81920 MiB",
        "1, NVIDIA H100 (emulated), 81920 MiB",
    ]
    bare = output(trace_of(f"{query},noheader,nounits", {}, GPUS))
    assert bare.splitlines()[0] == "0, NVIDIA H100 (emulated), 81920"
    assert trace_of("nvidia-smi --query-gpu=smell", {}, GPUS).exit_code == 2
    assert trace_of("nvidia-smi", {}).exit_code == 6


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
