"""The cases of the differential test: the samples, the golden definitions, and generated ones.

A case is a definition, what it is started with, and what its functions do (`scripted.py` has the steps). Each is made
from its own name, so the same name always stands for the same case, and a new one changes no other.
"""

import copy
import json
import random
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# How many are generated of each dialect.
GENERATED = {"v2": 120, "v1": 80, "obs": 50}

# What generated executions are started with, and what functions return with a few members changed.
DOCUMENT = {
    "bucket": "b",
    "object": "o",
    "inputs": {"width": 640, "bucket-out": "c"},
    "a": {"b": [5, 6, {"c": "deep"}], "d": 1.5},
    "a-b": {"c d": True},
    "n": 3,
    "big": 12345678901234567890,
    "text": "x \"y\" ü",
    "flag": True,
    "nothing": None,
    "items": [{"ok": True, "i": 1}, {"ok": False, "i": 2}, {"ok": True, "i": 3}],
    "list": [1, 2, 3],
    "state": "busy",
}

# Paths to single places in it, paths on which interpreters differ, and paths that lead nowhere.
SINGLE = ["$", "$", "$.a", "$.a.b[2]", "$.a-b['c d']", "$.n", "$.big", "$.text", "$.nothing", "$.inputs"]
ODD = [
    "$.list[*]", "$.list[0:2]", "$.list[-2:]", "$.items[*].i", "$.items[1].i", "$.items[0].ok",
    "$.items[?(@.ok == true)]", "$.items[?(@.i > 1)].i", "$.items[?(@.i > 9)]",
]
ABSENT = ["$.none", "$.a.none.x", "$.list[9]"]

EXPRESSIONS = [
    "$.errorCode == '*'",
    "$.errorCode == 500",
    "$.errorCode == 404 || $.errorCode == 408",
    "$.errorType == 'Error' && $.errorMessage != nil",
    "($.n == 3 || $.flag == true) && $.nothing == nil",
    "$.n < 3 || $.n >= 4.5",
    "$.text != 'other' && $.a.d > 1.25",
    "$.a.b[0] <= 5 && $.state == 'done'",
]

CHOICES = [("$.n", 3), ("$.state", "done"), ("$.flag", True), ("$.a.b[0]", 6), ("$.none", 1), ("$.text", "x")]

# What v1 and OBS tell apart, and an error of each class.
MATCHES = {
    "MatchAny": 500,
    "States.ActionFailed": 500,
    "States.PermissionError": 403,
    "States.ParameterError": 400,
    "States.NotFound": 404,
    "States.TooManyRequests": 429,
    "States.FunctionStageUnavailable": 503,
    "States.FunctionStageOtherErrors": 500,
}

URN = "urn:fss:local-1:c0ffee00c0ffee00c0ffee00c0ffee00:function:default:{}:latest"


def refusal(code):
    """The step in which Lambda refuses a call."""
    cause = f"refused (Service: AWSLambda; Status Code: 400; Error Code: {code}; Request ID: r; Proxy: null)"
    return {"refuse": {"error": f"Lambda.{code}", "cause": cause}}


class Case:
    """One case in the making, with the dice that decide about it."""

    def __init__(self, name, faults, document=DOCUMENT):
        self.name = name
        self.dice = random.Random(name)
        self.functions = {}
        self.faults = faults
        self.document = document

    def chance(self, probability):
        return self.dice.random() < probability

    def path(self):
        kind = self.dice.random()
        return self.dice.choice(ABSENT if kind < 0.01 else ODD if kind < 0.07 else SINGLE)

    def filter(self, is_array=False):
        """The path of a filter: mostly one that leaves something for the states after it."""
        return self.path() if self.chance(0.08) else "$[0]" if is_array and self.chance(0.9) else "$"

    def result(self):
        """What a function returns."""
        if self.chance(0.05):
            return self.dice.choice(["text", 7, 2.5, True, None, [], [1, {"n": 2}], {}])
        result = {name: value for name, value in self.document.items() if not self.chance(0.01)}
        for name in self.dice.sample(sorted(DOCUMENT), 2):
            result[name] = self.dice.choice([0, 4, "done", "<&>", False, None, [1], {"b": [5]}])
        return result

    def good(self):
        return {"echo": {}} if self.chance(0.05) else {"return": self.result()}

    def error(self):
        error = {"errorType": self.dice.choice(["Error", "KeyError"]), "errorMessage": "boom {1}"}
        if self.chance(0.6):
            error["errorCode"] = self.dice.choice([*MATCHES.values(), "text"])
        return error

    def function(self, name, may_be_slow=False):
        """Decides what a function does, and returns its URN."""
        fault = self.dice.choice(self.faults) if self.faults and self.chance(0.6) else None
        if fault == "slow" and not may_be_slow:
            fault = "timeout"
        self.functions[name] = {
            None: lambda: [self.good()],
            "error": lambda: [{"throw": self.error()}],
            "code": lambda: [{"return": {**self.result_object(), "errorCode": self.dice.choice([404, 408, 500, 0])}}],
            "flaky": lambda: [{"throw": self.error()}] * self.dice.randint(1, 3) + [self.good()],
            "timeout": lambda: [{"throw": {"errorType": "Sandbox.Timedout", "errorMessage": "timed out"}}, self.good()],
            "slow": lambda: [{"slow": {}}, self.good()],
            "refused": lambda: [refusal(self.dice.choice(["TooManyRequestsException", "ResourceNotFoundException"]))],
            "busy": lambda: [refusal("ServiceException"), self.good()],
        }[fault]()
        return URN.format(name)

    def result_object(self):
        result = self.result()
        return result if isinstance(result, dict) else {"was": result}

    def done(self, definition, value=None):
        value = self.document if value is None else value
        start = {"input": value, "headers": {}, "merge": self.chance(0.4)}
        if self.chance(0.1):  # tried again at a state, as after a failure there
            states = definition["states"]
            is_list = isinstance(states, list)
            ids = [state.get("id") or state["state_name"] for state in states] if is_list else list(states)
            start["at"] = {"node": self.dice.choice(ids), "input": self.result_object()}
        return {"name": self.name, "definition": definition, "start": start, "functions": self.functions}


def v2_arguments(case):
    """The arguments of a call."""
    defaults = ["1.5", "false", "null", "'it'", "$CONST.c"]
    texts = [
        lambda: case.path(),
        lambda: case.path(),
        lambda: case.dice.choice(SINGLE + ABSENT) + " | " + case.dice.choice(defaults),
        lambda: case.dice.choice(["$CONST.c", "$CONST.c.k[1]", "plain", "'quoted'", 1, True, None, [1, "$CONST.c"]]),
        lambda: {"deep": case.path(), "flat": "it is"},
    ]
    names = case.dice.sample(["n", "a", "items", "text", "state", "list", "else"], case.dice.randint(0, 4))
    return {name: case.dice.choice(texts)() for name in names}


def v2(case):
    count = case.dice.randint(1, 5)
    has_end = case.chance(0.7)
    states, functions = [], []

    def target(index):
        return f"s{index}" if index < count + has_end else ""

    for index in range(count):
        is_sleep = case.chance(0.12)
        actions = []
        for number in range(0 if is_sleep else case.dice.choice([1, 1, 2, 3])):
            name = f"f{index}{number}"
            functions.append({"name": name, "operation": case.function(name)})
            actions.append({"function_ref": {"ref_name": name, "arguments": v2_arguments(case)}})
        routes = []
        for _ in range(case.dice.choice([0, 1, 1, 2])):
            to = target(case.dice.randint(index + 1, count)) if case.chance(0.7) else ""
            route = {"error": case.dice.choice(EXPRESSIONS) if case.chance(0.8) else "", "transition": to}
            if case.chance(0.4):
                route["retry_ref"] = case.dice.choice(["once", "often"])
            routes.append(route)
        is_parallel = case.chance(0.4)
        states.append({
            "id": f"s{index}", "name": f"s{index}", "type": "Sleep" if is_sleep else "Operation",
            "action_mode": "parallel" if is_parallel else "sequential", "actions": actions, "on_errors": routes,
            "duration": case.dice.choice([0.5, 1, 7, 299.5]),
            "state_data_filter": {"input": case.filter(), "output": case.filter(is_parallel and not is_sleep)},
            "transition": target(index + 1), "end": not target(index + 1),
        })
    if has_end:
        output = {"output": case.filter()}
        end = {"id": f"s{count}", "name": "end", "type": "End", "actions": [], "transition": "", "end": True}
        states.append({**end, "state_data_filter": output})
    mode = {"mode": "EXPRESS", "express_config": {"log_level": "ERROR"}} if case.chance(0.25) else {"mode": "NORMAL"}
    return case.done({
        "name": case.name, **mode, "start": "s0", "states": states,
        "functions": functions, "constants": {"c": {"k": [1.5, "x"]}},
        "retries": [{"name": "once", "max_attempts": 1}, {"name": "often", "delay": 2, "max_attempts": 3}],
    })


def results(case, index, count, underscores):
    """The error routes of an action of v1 or OBS."""
    routes = []
    for match in case.dice.sample(sorted(MATCHES), case.dice.choice([0, 1, 1, 2])):
        route = {"match": match, "next-state": state_name(case.dice.randint(index + 1, count), count)}
        if case.chance(0.7):
            route.update({"retry-interval": case.dice.choice([0, 1, 5]), "max-retry": case.dice.choice([0, 1, 2])})
        if underscores and case.chance(0.3):
            route["is_terminal"] = True
        routes.append(route)
    return routes


def state_name(index, count):
    return "end" if index == count else f"s{index}"


def v1(case):
    count = case.dice.randint(1, 5)
    states = {}
    for index in range(count):
        following = state_name(index + 1, count)
        kind = case.dice.choice(["OPERATION"] * 6 + ["DELAY", "NOOP", "SWITCH", "SWITCH"])
        state = {"type": kind, "payload-filter-in": case.filter()}
        if kind == "SWITCH":
            choices = case.dice.sample(CHOICES, case.dice.randint(1, 3))
            state["default"] = following
            state["choices"] = [
                {"path": path, "value": value, "next-state": state_name(case.dice.randint(index + 1, count), count)}
                for path, value in choices
            ]
        else:
            state["next-state"] = following
        if kind == "DELAY":
            state["time-delay"] = case.dice.choice([1, 30, 86400])
        if kind == "OPERATION":
            is_parallel = case.chance(0.4)
            is_asynchronous = is_parallel and case.chance(0.15)
            state["payload-filter-out"] = case.filter(is_parallel and not is_asynchronous)
            state["action-mode"] = "PARALLEL" if is_parallel else "SEQUENTIAL"
            actions = case.dice.choice([1, 1, 2, 3])
            state["actions"] = [v1_action(case, index, count, number, is_asynchronous) for number in range(actions)]
        else:
            state["payload-filter-out"] = case.filter()
        states[f"s{index}"] = state
    states["s0"]["start"] = True
    states["end"] = {"type": "END"}
    return case.done({"states": states}, case.dice.choice(["text", "7", 7, [1, 2], {}]) if case.chance(0.08) else None)


def v1_action(case, index, count, number, is_asynchronous):
    name = f"f{index}{number}"
    is_limited = "slow" in case.faults
    action = {
        "action-name": name, "function": case.function(name, may_be_slow=is_limited and not is_asynchronous),
        "invocation-mode": "ASYNC" if is_asynchronous else "SYNC", "payload-filter": case.path(),
        "timeout": 2 if is_limited else case.dice.choice([0, 300]),
    }
    if not is_asynchronous:
        action["results"] = results(case, index, count, underscores=False)
    return action


def polling(case):
    """A v1 flow that goes in a circle until its function says that it is done."""
    busy = [{"return": {"state": "busy", "n": number}} for number in range(case.dice.randint(0, 4))]
    case.functions["look"] = [*busy, {"return": {"state": "done", "n": 9}}]
    action = {"action-name": "look", "function": URN.format("look"), "invocation-mode": "SYNC", "payload-filter": "$"}
    look = {"type": "OPERATION", "action-mode": "SEQUENTIAL", "actions": [action], "next-state": "decide"}
    choice = {"path": "$.state", "value": "done", "next-state": "end"}
    return case.done({"states": {
        "look": {**look, "start": True},
        "decide": {"type": "SWITCH", "default": "wait", "choices": [choice]},
        "wait": {"type": "DELAY", "time-delay": 60, "next-state": "look"},
        "end": {"type": "END"},
    }})


def obs(case):
    count = case.dice.randint(1, 4)
    sources = [{"get_input": "$.inputs.width"}, {"get_input": "$.inputs.height"}, {"get_input": "$.object"}, "fixed", 5]
    states = {}
    for index in range(count):
        following = state_name(index + 1, count)
        if index and case.chance(0.2):
            states[f"s{index}"] = {"type": "DELAY", "time_delay": case.dice.choice([1, 60]), "next_state": following}
            continue
        name = f"f{index}"
        is_limited = "slow" in case.faults
        urn = case.function(name, may_be_slow=is_limited)
        action = {"action_name": name, "function": urn, "invocation_mode": "SYNC"}
        if is_limited:
            action["timeout"] = 2
        if case.chance(0.5):
            source = {"width": case.dice.choice(sources), "deep": {"it": case.dice.choice(sources)}}
            action["dynamic_source"] = source if case.chance(0.8) else case.dice.choice(sources)
        if case.chance(0.3):
            action["payload_filter"] = case.path()
        action["results"] = [
            {word.replace("-", "_"): value for word, value in route.items()}
            for route in results(case, index, count, underscores=True)
        ]
        states[f"s{index}"] = {
            "type": "OPERATION", "action_mode": "SEQUENTIAL", "payload_filter_out": case.filter(),
            "actions": [action], "next_state": following,
        }
    states["s0"]["start"] = True
    states["end"] = {"type": "END"}
    inputs = {"width": {"type": "Integer", "default": 320}, "height": {"type": "Integer", "default": 240}}
    if case.chance(0.3):
        inputs = [{"parameter_name": name, **given} for name, given in inputs.items()]
        states = [{"state_name": name, **state} for name, state in states.items()]
        return case.done({"inputs": inputs, "states": states})
    return case.done({"agency": "agency", "inputs": inputs, "states": states})


# What may befall functions: nothing in every other case.
FAULTS = [
    [], ["error"], [], ["flaky"], [], ["error", "code", "flaky"], [], ["code"], [], ["timeout", "refused", "busy"], [],
    ["slow"], [], ["flaky"], [], ["slow", "flaky"],
]


def generated():
    makers = {"v2": v2, "v1": v1, "obs": obs}
    for dialect, count in GENERATED.items():
        for number in range(count):
            yield makers[dialect](Case(f"{dialect}-{number:03}", FAULTS[number % len(FAULTS)]))
    for number in range(5):
        yield polling(Case(f"v1-polling-{number}", []))


def written():
    """The samples and the golden definitions, each with every kind of fault."""
    for folder, prefix in ("workflows", "sample"), ("tests/golden/flows", "golden"):
        for file in sorted((ROOT / folder).glob("*.json")):
            # Only the embedded engine calls addresses, and a function that never says `done` keeps v1-polling going.
            if file.name.endswith(".asl.json") or file.stem in ("v2-http", "v1-polling"):
                continue
            definition = json.loads(file.read_text())
            for faults in [], ["error"], ["flaky"], ["code", "timeout"]:
                name = "-".join([prefix, file.stem, *(faults or ["good"])])
                case = Case(name, faults, document_for(definition))
                for function in sorted(set(functions_of(definition))):
                    case.function(function)
                yield case.done(definition)


def document_for(definition):
    """A document with something at every plain path of a definition."""
    document = copy.deepcopy(DOCUMENT)
    for path in re.findall(r"\$((?:\.[\w-]+)+)", json.dumps(definition)):
        place = document
        *folders, last = path.split(".")[1:]
        for name in folders:
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                break
        else:
            place.setdefault(last, f"some {last}")
    return document


def functions_of(value):
    """The names of the functions that a definition calls."""
    if isinstance(value, dict):
        for name, member in value.items():
            if name in ("operation", "function"):
                parts = member.split(":")
                yield parts[6] if parts[4] == "function" else parts[4]
            else:
                yield from functions_of(member)
    elif isinstance(value, list):
        for entry in value:
            yield from functions_of(entry)


def cases():
    return [*written(), *generated()]
