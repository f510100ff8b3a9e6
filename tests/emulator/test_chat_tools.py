"""Chat calls tools when a request calls for them, and agents' loops come to an end."""

import json

import pytest

from tests.emulator.chat_support import ask, called, calls, result, run_agent, say, tool, user

WEATHER = tool("get_weather", "Get the weather at a location.", location="string")
ADD = tool("add", "Add two numbers.", a="number", b="number")
MULTIPLY = tool("multiply", "Multiply two numbers.", a="number", b="number")
DIVIDE = tool("divide", "Divide a by b.", a="number", b="number")
SEARCH = tool("search_docs", "Search the product documentation.", query="string")
EMAIL = tool("send_email", "Send an email.", to="string", subject="string", body="string")
CALCULATOR = tool("calculator", "Evaluate a mathematical expression.", expression="string")
FLIGHT = tool(
    "book_flight",
    "Book a flight.",
    ["origin", "destination", "date"],
    origin="string",
    destination="string",
    date={"type": "string", "format": "date"},
    passengers="integer",
    cabin={"enum": ["economy", "business"]},
)
THERMOSTAT = tool(
    "set_thermostat",
    "Set the temperature of a room.",
    ["room", "temperature"],
    room={"enum": ["kitchen", "bedroom"]},
    temperature={"type": "number", "minimum": 5, "maximum": 30},
    eco={"type": "boolean"},
)
NO_PARAMETERS = tool("roll_dice", "Roll the dice.")
CUSTOMER = tool(
    "create_customer", "Create a customer.", customer_name="string", description="string"
)

ONE_CALL = [
    ("What is the weather in San Francisco, CA?", [WEATHER], {"location": "San Francisco, CA"}),
    ("weather in paris please", [WEATHER], {"location": "paris"}),
    ("What is 3 * 12?", [ADD, MULTIPLY], {"a": 3, "b": 12}),
    ("What is 1 + 2", [MULTIPLY, ADD], {"a": 1, "b": 2}),
    ("subtract 3 from 10", [CALCULATOR], {"expression": "10 - 3"}),
    ("What is (3 + 4) * 5?", [CALCULATOR], {"expression": "(3 + 4) * 5"}),
    ("How do I reset my password?", [SEARCH], {"query": "How do I reset my password?"}),
    ("Search the docs for GPU prices", [SEARCH, EMAIL], {"query": "GPU prices"}),
    ("Please roll the dice", [NO_PARAMETERS, WEATHER], {}),
    ("Call roll_dice", [NO_PARAMETERS], {}),
    (
        'Send an email to bob@example.com with subject "Hello" and body "See you at 5"',
        [EMAIL, SEARCH],
        {"to": "bob@example.com", "subject": "Hello", "body": "See you at 5"},
    ),
    (
        "Book a flight from Berlin to New York on May 3rd for 2 passengers in business",
        [FLIGHT],
        {
            "origin": "Berlin",
            "destination": "New York",
            "date": "2026-05-03",
            "passengers": 2,
            "cabin": "business",
        },
    ),
    (
        "Book a flight from Rome to Oslo on 2027-01-30",
        [FLIGHT],
        {"origin": "Rome", "destination": "Oslo", "date": "2027-01-30"},
    ),
    (
        "Set the temperature in the bedroom to 19.5 degrees, not eco",
        [THERMOSTAT],
        {"room": "bedroom", "temperature": 19.5, "eco": False},
    ),
    (
        "Create a customer named '你好啊集团' (Hello Group) - a technology company",
        [CUSTOMER],
        {"customer_name": "你好啊集团", "description": "Hello Group"},
    ),
]


@pytest.mark.parametrize(("request_text", "tools", "arguments"), ONE_CALL)
def test_a_request_calls_for_a_tool(request_text, tools, arguments):
    ((_, made),) = calls(request_text, tools)
    assert made == arguments


@pytest.mark.parametrize(
    "request_text", ["Hello!", "Thank you", "Who are you?", "How are you?", "My name is Bob."]
)
def test_no_tool_is_called_for_small_talk(request_text):
    assert calls(request_text, [WEATHER, SEARCH, EMAIL]) == []


def test_a_call_written_out_is_read():
    magic = tool("magic", "Do magic.", ["x"], x="integer", loud="boolean", note="string")
    assert calls("Give me magic(3, loud=true)", [magic]) == [("magic", {"x": 3, "loud": True})]


def test_characters_outside_ascii_stay_as_they_are():
    (call,) = ask("Create a customer named 'こんにちは' - a shop", tools=[CUSTOMER]).calls
    assert "こんにちは" in json.dumps(dict(call.arguments), ensure_ascii=False)


PARALLEL = [
    ("What's the weather in Paris and Rome?", [WEATHER], ["Paris", "Rome"]),
    ("weather in paris, london and tokyo", [WEATHER], ["paris", "london", "tokyo"]),
]


@pytest.mark.parametrize(("request_text", "tools", "places"), PARALLEL)
def test_several_parts_become_several_calls(request_text, tools, places):
    made = calls(request_text, tools)
    assert [arguments["location"] for _, arguments in made] == places
    assert calls(request_text, tools, parallel_tool_calls=False) == made[:1]


def test_sums_beside_each_other_are_done_in_parallel():
    assert calls("what is 3*4 and 5*6", [MULTIPLY, ADD]) == [
        ("multiply", {"a": 3, "b": 4}),
        ("multiply", {"a": 5, "b": 6}),
    ]


def test_different_tools_are_called_in_parallel():
    clock = tool("get_time", "Get the current time in a city.", city="string")
    made = calls("What's the weather in Paris and what time is it in Tokyo?", [WEATHER, clock])
    assert made == [("get_weather", {"location": "Paris"}), ("get_time", {"city": "Tokyo"})]


def test_a_list_goes_into_one_call_where_a_list_is_taken():
    compare = tool(
        "compare_cities", "Compare cities.", cities={"type": "array", "items": {"type": "string"}}
    )
    made = calls("Compare Paris, Rome and Berlin", [compare])
    assert made == [("compare_cities", {"cities": ["Paris", "Rome", "Berlin"]})]


def test_two_sources_named_in_a_question_are_both_asked():
    sources = [
        tool(f"{name}_reports", f"Information from {name}'s yearly reports.", query="string")
        for name in ("acme", "zenith")
    ]
    made = calls("Compare the growth of Acme and Zenith in 2021", sources)
    assert [name for name, _ in made] == ["acme_reports", "zenith_reports"]


class TestToolChoice:
    def test_none_calls_nothing(self):
        assert calls("weather in Paris?", [WEATHER], tool_choice="none") == []

    def test_required_calls_something(self):
        assert len(calls("Hello!", [WEATHER, ADD], tool_choice="required")) == 1

    def test_a_named_tool_is_called_alone(self):
        choice = {"type": "function", "function": {"name": "add"}}
        made = calls("weather in Paris?", [WEATHER, ADD], tool_choice=choice)
        assert [name for name, _ in made] == ["add"]

    def test_required_still_picks_the_tool_that_fits(self):
        made = calls("weather in Paris?", [ADD, WEATHER], tool_choice="required")
        assert made == [("get_weather", {"location": "Paris"})]

    def test_required_ends_with_the_tool_that_takes_the_answer(self):
        report = tool(
            "WeatherReport", "The final report.", city="string", temperature="number", sky="string"
        )
        messages = [
            user("What is the weather in Paris?"),
            called("1", "get_weather", location="Paris"),
            result("1", {"temp_c": 21, "sky": "clear"}),
        ]
        made = calls(messages, [WEATHER, report], tool_choice="required")
        assert made == [("WeatherReport", {"city": "Paris", "temperature": 21, "sky": "clear"})]


class TestAnswersFromResults:
    def test_a_text_is_quoted(self):
        messages = [user("Weather in Rome?"), called("1", "get_weather", location="Rome")]
        assert say([*messages, result("1", "It's sunny.")], tools=[WEATHER]) == "It's sunny."

    def test_the_field_asked_about_is_told(self):
        messages = [
            user("What is the temperature in Rome?"),
            called("1", "get_weather", location="Rome"),
            result("1", {"temperature_celsius": 17, "wind": 3}),
        ]
        assert "temperature celsius 17" in say(messages, tools=[WEATHER])

    def test_results_of_several_calls_are_told_apart(self):
        messages = [user("Weather in Paris and Rome?")]
        two = called("1", "get_weather", location="Paris")
        two["tool_calls"] += called("2", "get_weather", location="Rome")["tool_calls"]
        messages += [two, result("1", "rain"), result("2", "sun")]
        assert say(messages, tools=[WEATHER]) == "Paris: rain. Rome: sun."

    def test_a_long_text_is_searched(self):
        page = (
            "Welcome to the docs. " * 20 + "To reset your password, press Forgot. " + "Bye. " * 30
        )
        messages = [
            user("How do I reset my password?"),
            called("1", "search_docs", query="reset password"),
            result("1", page),
        ]
        assert say(messages, tools=[SEARCH]) == "To reset your password, press Forgot."

    def test_an_error_is_told(self):
        messages = [
            user("Weather in Rome?"),
            called("1", "get_weather", location="Rome"),
            result("1", "Error: the service is down"),
        ]
        assert "the service is down" in say(messages, tools=[WEATHER])

    def test_an_error_about_an_argument_is_corrected_once(self):
        messages = [
            user("What is 1 + 2"),
            called("1", "add", a=1),
            result("1", "Error: Missing required argument 'b'."),
        ]
        assert calls(messages, [ADD]) == [("add", {"a": 1, "b": 2})]
        messages += [called("2", "add", a=1, b=2), result("2", "Error: still broken")]
        assert calls(messages, [ADD]) == []

    def test_results_are_told_without_tools_on_offer_too(self):
        messages = [
            user("Weather in Rome?"),
            called("1", "get_weather", location="Rome"),
            result("1", "It's sunny."),
        ]
        assert say(messages) == "It's sunny."

    def test_an_earlier_turn_is_not_answered_again(self):
        messages = [
            user("What is 1 + 2"),
            called("1", "add", a=1, b=2),
            result("1", "3"),
            {"role": "assistant", "content": "3"},
            user("What is 3 + 4"),
        ]
        assert calls(messages, [ADD]) == [("add", {"a": 3, "b": 4})]


ARITHMETIC = {
    "add": (ADD, lambda a, b: a + b),
    "multiply": (MULTIPLY, lambda a, b: a * b),
    "divide": (DIVIDE, lambda a, b: a / b),
}


@pytest.mark.parametrize(
    ("request_text", "names", "value"),
    [
        ("What is (3 + 4) * 5?", ["add", "multiply"], "35"),
        (
            "Add 3 and 4. Multiply the output by 2. Divide the output by 5",
            ["add", "multiply", "divide"],
            "2.8",
        ),
        ("Multiply 3 and 4 then add 5", ["multiply", "add"], "17"),
        ("What is 2 + 3 + 4?", ["add", "add"], "9"),
    ],
)
def test_sums_are_done_step_by_step(request_text, names, value):
    made, answer = run_agent(request_text, ARITHMETIC)
    assert [name for name, _ in made] == names
    assert value in answer


class Cloud:
    """A GPU cloud in a few lines, with names as different services have them."""

    def __init__(self, starts_after=2):
        self.asked = 0
        self.starts_after = starts_after
        self.running = set()

    def types(self):
        return [
            {"gpu_type": "H100", "price_per_hour": 2.1, "vram_gb": 80, "available": True},
            {"gpu_type": "RTX 4090", "price_per_hour": 0.66, "vram_gb": 24, "available": True},
            {"gpu_type": "A10", "price_per_hour": 0.5, "vram_gb": 24, "available": False},
            {"gpu_type": "T4", "price_per_hour": 0.2, "vram_gb": 16, "available": True},
        ]

    def create(self, gpu_type, name, **_):
        self.running.add("inst_42ab")
        return {"id": "inst_42ab", "name": name, "status": "pending", "gpu_type": gpu_type}

    def get(self, instance_id):
        self.asked += 1
        status = "running" if self.asked > self.starts_after else "pending"
        return {"id": instance_id, "status": status, "price_per_hour": 0.66}

    def terminate(self, instance_id):
        self.running.remove(instance_id)
        return {"id": instance_id, "status": "terminated"}

    def tools(self, prefix=""):
        return {
            f"{prefix}list_gpu_types": (
                tool(f"{prefix}list_gpu_types", "List GPU types with price and memory."),
                self.types,
            ),
            f"{prefix}create_instance": (
                tool(
                    f"{prefix}create_instance",
                    "Launch a GPU instance. Costs money.",
                    ["gpu_type", "name"],
                    gpu_type="string",
                    name="string",
                    gpu_count="integer",
                    max_runtime_minutes="integer",
                ),
                self.create,
            ),
            f"{prefix}get_instance": (
                tool(f"{prefix}get_instance", "Get an instance's status.", instance_id="string"),
                self.get,
            ),
            f"{prefix}terminate_instance": (
                tool(f"{prefix}terminate_instance", "Terminate an instance.", instance_id="string"),
                self.terminate,
            ),
        }


MACHINE_REQUESTS = {
    "one sentence": """Find the cheapest GPU with at least 24 GB, launch it, wait until it runs,
        tell me its price per hour and terminate it.""",
    "a numbered list": """1. Find the cheapest GPU with at least 24 GB
2. Launch it
3. Wait until it is running
4. Tell me its price per hour
5. Terminate it""",
    "other words": """Look for the least expensive GPU with at least 24 GB of memory. Then start an
        instance with it. Wait for it to be running. Finally, delete the instance and report its
        price.""",
}


@pytest.mark.parametrize("prefix", ["", "cloud_"])
@pytest.mark.parametrize("request_text", MACHINE_REQUESTS.values(), ids=MACHINE_REQUESTS)
def test_a_machine_is_found_launched_awaited_and_terminated(prefix, request_text):
    cloud = Cloud()
    made, answer = run_agent(request_text, cloud.tools(prefix))
    names = [name.removeprefix(prefix) for name, _ in made]
    assert names == [
        "list_gpu_types",
        "create_instance",
        "get_instance",
        "get_instance",
        "get_instance",
        "terminate_instance",
    ]
    assert made[1][1]["gpu_type"] == "RTX 4090"
    assert cloud.running == set()
    assert "0.66" in answer


def test_waiting_ends_even_if_the_machine_never_runs():
    cloud = Cloud(starts_after=1000)
    made, answer = run_agent(
        "Launch the cheapest GPU, wait until it runs and terminate it", cloud.tools()
    )
    assert len(made) < 20
    assert cloud.running == set()
    assert "pending" in answer


def test_what_a_call_needs_is_looked_up_first():
    cloud = Cloud()
    tools = cloud.tools()
    cloud.running.add("inst_77")
    tools["list_instances"] = (
        tool("list_instances", "List the running instances."),
        lambda: [{"id": "inst_77", "gpu_type": "H100"}, {"id": "inst_78", "gpu_type": "T4"}],
    )
    made, _ = run_agent("Terminate my H100 instance", tools)
    assert made == [
        ("list_instances", {}),
        ("terminate_instance", {"instance_id": "inst_77"}),
    ]


def test_a_token_is_fetched_from_the_tool_that_gives_it():
    tools = {
        "list_gpu_types": (tool("list_gpu_types", "List GPU types with price."), Cloud().types),
        "plan_launch": (
            tool("plan_launch", "What a launch costs; gives a plan_token.", gpu_type="string"),
            lambda gpu_type: {"plan_token": "plan-abc1", "gpu_type": gpu_type},
        ),
        "launch_instance": (
            tool("launch_instance", "Launch a planned instance.", plan_token="string"),
            lambda plan_token: f"Launched inst-9f3c by {plan_token}",
        ),
        "terminate_instance": (
            tool("terminate_instance", "Terminate an instance.", instance_id="string"),
            lambda instance_id: f"terminated {instance_id}",
        ),
    }
    made, _ = run_agent("Find the cheapest GPU, launch it and terminate it.", tools)
    assert made == [
        ("list_gpu_types", {}),
        ("plan_launch", {"gpu_type": "T4"}),
        ("launch_instance", {"plan_token": "plan-abc1"}),
        ("terminate_instance", {"instance_id": "inst-9f3c"}),
    ]


class PlannedCloud:
    """A cloud that wants a plan before a launch, and a name before an end."""

    def __init__(self):
        self.running = {}

    def offers(self, gpu_type=None, **_):
        every = [
            {"instance_type_id": "brisk-a4000-51", "gpu_type": "A4000", "usd_per_hour": 0.28},
            {"instance_type_id": "amber-4090-7d", "gpu_type": "RTX4090", "usd_per_hour": 0.66},
        ]
        found = [one for one in every if gpu_type in {None, one["gpu_type"]}]
        return {"count": len(found), "instance_types": found}

    def plan(self, max_runtime_minutes, gpu_type="A4000", name="box", **_):
        assert 5 <= max_runtime_minutes <= 60
        return {"plan_token": "plan-1f", "gpu_type": gpu_type, "name": f"my-{name}"}

    def launch(self, plan_token):
        if plan_token != "plan-1f":
            return f"There is no plan `{plan_token}`. Nothing was launched."
        self.running["0f58-79ea"] = "my-box"
        return {"id": "0f58-79ea", "name": "my-box", "status": "pending"}

    def list(self, **_):
        every = [{"id": key, "name": name} for key, name in self.running.items()]
        return {"count": len(every), "instances": every}

    def end(self, instance_id, expected_name):
        assert self.running.pop(instance_id) == expected_name
        return {"id": instance_id, "status": "terminated"}

    def tools(self):
        gpu = {
            "anyOf": [
                {"type": "string", "description": "GPU, such as A100 or RTX4090."},
                {"type": "null"},
            ],
            "default": None,
        }
        minutes = {"type": "integer", "minimum": 5, "maximum": 60}
        text = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
        return {
            "x_list_instance_types": (
                tool("x_list_instance_types", "List GPU machines with price.", (), gpu_type=gpu),
                self.offers,
            ),
            "x_list_instances": (
                tool("x_list_instances", "List the instances with status.", (), search=text),
                self.list,
            ),
            "x_plan_instance": (
                tool(
                    "x_plan_instance",
                    "Show what the cheapest machine that fits would cost; starts nothing.",
                    ["max_runtime_minutes"],
                    max_runtime_minutes=minutes,
                    gpu_type=gpu,
                    instance_type_id=text,
                    name=text,
                ),
                self.plan,
            ),
            "x_launch_instance": (
                tool("x_launch_instance", "Launch the machine of a plan.", plan_token="string"),
                self.launch,
            ),
            "x_terminate_instance": (
                tool(
                    "x_terminate_instance",
                    "End an instance for good.",
                    instance_id="string",
                    expected_name="string",
                ),
                self.end,
            ),
        }


@pytest.mark.parametrize(
    ("request_text", "gpu_type"),
    [
        ("Find the cheapest GPU, launch it and terminate it.", "A4000"),
        ("Start a machine with an RTX 4090 for 20 minutes, then shut it down.", "RTX4090"),
    ],
)
def test_a_plan_is_made_before_a_launch(request_text, gpu_type):
    cloud = PlannedCloud()
    made, _ = run_agent(request_text, cloud.tools())
    assert [name for name, _ in made][-3:] == [
        "x_plan_instance",
        "x_launch_instance",
        "x_terminate_instance",
    ]
    assert dict(made)["x_plan_instance"]["gpu_type"] == gpu_type
    assert dict(made)["x_launch_instance"] == {"plan_token": "plan-1f"}
    assert cloud.running == {}


def test_the_list_that_is_asked_for_is_called():
    cloud = PlannedCloud()
    made, answer = run_agent("Which instances are running?", cloud.tools())
    assert made == [("x_list_instances", {})]
    assert answer == "Nothing was found."


def test_all_that_a_list_shows_may_be_meant():
    cloud = PlannedCloud()
    cloud.running = {"aa-11": "one", "bb-22": "two", "cc-33": "three"}
    made, _ = run_agent("Terminate all my instances", cloud.tools())
    assert [name for name, _ in made] == ["x_list_instances"] + ["x_terminate_instance"] * 3
    assert cloud.running == {}


def test_nothing_is_ended_that_nobody_named():
    end = tool("terminate_instance", "Terminate an instance.", instance_id="string")
    assert calls("Terminate it", [end]) == []


def test_what_is_forbidden_is_not_done():
    cloud = Cloud()
    made, _ = run_agent(
        "Launch 2 H100 GPUs for 30 minutes named demo but don't terminate it", cloud.tools()
    )
    assert made == [
        (
            "create_instance",
            {"gpu_type": "H100", "name": "demo", "gpu_count": 2, "max_runtime_minutes": 30},
        )
    ]


def test_asking_about_machines_changes_nothing():
    cloud = Cloud()
    made, answer = run_agent("Which GPU types are there and what do they cost?", cloud.tools())
    assert {name for name, _ in made} == {"list_gpu_types"}
    assert "H100" in answer


def test_a_result_goes_into_the_next_call():
    sent = {}
    tools = {
        "search_docs": (SEARCH, lambda query: "H100 costs 2 dollars"),
        "send_email": (EMAIL, lambda **fields: sent.update(fields) or "sent"),
    }
    made, _ = run_agent("Search for GPU prices, then email the result to bob@example.com", tools)
    assert [name for name, _ in made] == ["search_docs", "send_email"]
    assert sent["to"] == "bob@example.com"
    assert sent["body"] == "H100 costs 2 dollars"


def test_a_confirmation_continues_the_request_before():
    messages = [
        user("Terminate the instance inst_9a"),
        {"role": "assistant", "content": "Shall I really?"},
        user("yes, go ahead"),
    ]
    terminate = tool("terminate_instance", "Terminate an instance.", instance_id="string")
    assert calls(messages, [terminate]) == [("terminate_instance", {"instance_id": "inst_9a"})]


def test_an_id_of_an_earlier_turn_is_remembered():
    create, terminate = (
        tool("create_instance", "Launch.", name="string"),
        tool("terminate_instance", "Terminate an instance.", instance_id="string"),
    )
    messages = [
        user("Launch an instance named box"),
        called("1", "create_instance", name="box"),
        result("1", {"id": "inst_5c", "status": "running"}),
        {"role": "assistant", "content": "Done."},
        user("Now terminate it"),
    ]
    made = calls(messages, [create, terminate])
    assert made == [("terminate_instance", {"instance_id": "inst_5c"})]


def test_another_agent_is_chosen_by_what_it_does():
    handoff = tool(
        "handoff",
        "Hand off to another agent.\n\nCurrently available agents:\n"
        "{'WriteAgent': 'Writes reports.', 'ResearchAgent': 'Searches the web for information.'}",
        to_agent="string",
        reason="string",
    )
    ((_, arguments),) = calls("Write a report about otters", [handoff])
    assert arguments["to_agent"] == "WriteAgent"
    ((_, arguments),) = calls("Research otters", [handoff])
    assert arguments["to_agent"] == "ResearchAgent"


def test_arguments_fit_a_schema_with_references_and_nesting():
    schema = {
        "type": "function",
        "function": {
            "name": "create_order",
            "description": "Create an order.",
            "parameters": {
                "type": "object",
                "properties": {
                    "customer": {"$ref": "#/$defs/Customer"},
                    "items": {"type": "array", "items": {"$ref": "#/$defs/Item"}, "minItems": 1},
                    "priority": {"anyOf": [{"enum": ["low", "high"]}, {"type": "null"}]},
                    "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                    "channel": {"const": "web"},
                },
                "required": ["customer", "items", "priority", "note", "channel"],
                "$defs": {
                    "Customer": {
                        "type": "object",
                        "properties": {
                            "name": {"type": "string"},
                            "email": {"type": "string", "format": "email"},
                        },
                        "required": ["name", "email"],
                    },
                    "Item": {
                        "type": "object",
                        "properties": {
                            "product": {"type": "string"},
                            "quantity": {"type": "integer", "minimum": 1},
                        },
                        "required": ["product", "quantity"],
                    },
                },
            },
        },
    }
    ((_, made),) = calls(
        "Create an order for Ann Lee, ann@example.com: 3 'red pens' and 2 'blue pads', "
        "priority high",
        [schema],
    )
    assert made["customer"] == {"name": "Ann Lee", "email": "ann@example.com"}
    assert made["items"] == [
        {"product": "red pens", "quantity": 3},
        {"product": "blue pads", "quantity": 2},
    ]
    assert (made["priority"], made["note"], made["channel"]) == ("high", None, "web")
