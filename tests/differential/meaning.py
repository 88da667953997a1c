"""What a definition means: an interpreter of definitions that knows nothing of compiled machines.

It is written from the documentation of `src/workflow/flow/mod.rs` and `src/engine/compiler/mod.rs` and shares no code
with either, so that three interpreters of a wrongly compiled machine cannot agree unnoticed. It reads definitions that
`flowgate compile` takes, and is simple where that is enough: nothing runs at the same time, and no time passes.

Where AWS's documents leave open what a path finds, it follows the Java library Jayway JsonPath: a path of names and
indexes finds one value or nothing; any other finds a list, which may be empty.
"""

import json
import math
import re

# How often a call that Lambda refused is made again, for the refusals that AWS advises to repeat.
REPEATED = {"Lambda.TooManyRequestsException", "Lambda.ServiceException"}
REPETITIONS = 3

EXPRESS_SECONDS = 300

NAME = r"[^\s.\[\]()'\",:;?*@$|&=!<>\\]+"
SEGMENT = re.compile(
    rf"""(?P<all>\.\*|\[\*\]) | \.(?P<name>{NAME}) | \[['"](?P<quoted>[^'"]+)['"]\] | \[(?P<index>\d+)\]
    | \[(?P<start>-?\d*):(?P<end>-?\d*)\] | \[\?\((?P<filter>.+?)\)\]""",
    re.VERBOSE,
)
CONSTANT = re.compile(r"'(?P<text>[^']*)'|(?P<word>true|false|nil|null)|(?P<number>-?\d[-+.\deE]*)")
COMPARISONS = {
    "<": lambda found, constant: found < constant,
    ">": lambda found, constant: found > constant,
    "<=": lambda found, constant: found <= constant,
    ">=": lambda found, constant: found >= constant,
}


class Failed(Exception):
    """The execution fails."""

    def __init__(self, error, cause=None):
        super().__init__(error, cause)
        self.error, self.cause = error, cause


class TimedOut(Exception):
    """The execution has taken longer than it may."""


class NothingFound(Exception):
    """A path leads nowhere."""


def failed_node(document):
    """An error that no route helps with."""
    return Failed("Flowgate.NodeFailed", json.dumps(document))


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


# Paths


def read_path(text, at=0):
    """The segments of the path that begins at a place in a text, and the place behind it."""
    assert text[at] == "$", text
    segments, at = [], at + 1
    while match := SEGMENT.match(text, at):
        segments.append(match)
        at = match.end()
    return segments, at


def is_single(segments):
    return all(segment["name"] or segment["quoted"] or segment["index"] for segment in segments)


def find(path, document):
    """What a path finds; raises NothingFound."""
    segments, end = read_path(path)
    assert end == len(path), path
    single, nodes = True, [document]
    for segment in segments:
        nodes = [inner for node in nodes for inner in step(segment, node, single)]
        single = single and is_single([segment])
        if single and not nodes:
            raise NothingFound
    return nodes[0] if single else nodes


def step(segment, node, is_upstream_single):
    """What a segment leads to from one place."""
    name = segment["name"] or segment["quoted"]
    if name:
        return [node[name]] if isinstance(node, dict) and name in node else []
    if segment["index"]:
        index = int(segment["index"])
        return [node[index]] if isinstance(node, list) and index < len(node) else []
    if segment["all"]:
        return list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else []
    if segment["filter"]:
        holds = read_expression(segment["filter"].replace("@", "$"))
        if isinstance(node, (dict, list)):
            return [entry for entry in (node if isinstance(node, list) else [node]) if holds(entry)]
    elif isinstance(node, list):
        bounds = [int(bound) if bound else None for bound in (segment["start"], segment["end"])]
        return node[slice(*bounds)]
    if is_upstream_single:
        raise NothingFound
    return []


def finds(path, document):
    """Whether a path finds something, and what."""
    try:
        return True, find(path, document)
    except NothingFound:
        return False, None


# Expressions


def read_expression(text):
    """An expression as a function from a document to whether it holds."""
    holds, at = read_alternatives(text, 0)
    assert at == len(text), text
    return holds


def skip(text, at):
    return len(text) - len(text[at:].lstrip())


def read_joined(text, at, sign, read_part, join):
    parts = []
    while True:
        part, at = read_part(text, skip(text, at))
        parts.append(part)
        at = skip(text, at)
        if not text.startswith(sign, at):
            return lambda document: join(part(document) for part in parts), at
        at += len(sign)


def read_alternatives(text, at):
    return read_joined(text, at, "||", read_conditions, any)


def read_conditions(text, at):
    return read_joined(text, at, "&&", read_unit, all)


def read_unit(text, at):
    if text[at] == "(":
        holds, at = read_alternatives(text, at + 1)
        assert text[at] == ")", text
        return holds, skip(text, at + 1)
    _, end = read_path(text, at)
    path, at = text[at:end], skip(text, end)
    operator = re.compile(r"[=!<>]=|<|>").match(text, at)
    constant = CONSTANT.match(text, skip(text, operator.end()))
    return compare(path, operator[0], constant), skip(text, constant.end())


def compare(path, operator, constant):
    value = constant_value(constant)

    def holds(document):
        is_there, found = finds(path, document)
        if constant[0] == "'*'":
            return is_there
        if value is None:
            return (not is_there or found is None) if operator == "==" else is_there and found is not None
        if operator in COMPARISONS:
            return is_there and is_number(found) and COMPARISONS[operator](found, value)
        same = found == value and is_number(found) == is_number(value)
        return is_there and same == (operator == "==")

    return holds


def constant_value(match):
    if match["word"]:
        return {"true": True, "false": False}.get(match["word"])
    return match["text"] if match["number"] is None else json.loads(match["number"])


# What functions are given


def read_argument(value, constants):
    """An argument of the v2 form as a function from the input to the value."""
    if isinstance(value, dict):
        members = {name: read_argument(member, constants) for name, member in value.items()}
        return lambda given: {name: member(given) for name, member in members.items()}
    if isinstance(value, list):
        entries = [read_argument(entry, constants)(None) for entry in value]
        return lambda given: entries
    text = value.strip() if isinstance(value, str) else ""
    if text.startswith("$CONST"):
        constant = find("$" + text.removeprefix("$CONST"), constants)
        return lambda given: constant
    if text.startswith("$"):
        _, end = read_path(text)
        path, fallback = text[:end], text[end:].strip().removeprefix("|").strip()
        if not fallback:
            return lambda given: find(path, given)
        default = read_fallback(fallback, constants)
        return lambda given: find_or(path, given, default)
    if isinstance(value, str):
        return lambda given: text[1:-1] if re.fullmatch(r"'.*'", text, re.DOTALL) else text
    return lambda given: value


def read_fallback(text, constants):
    for prefix in "$CONST", "$.constants":
        if text.startswith(prefix):
            return find("$" + text.removeprefix(prefix), constants)
    return constant_value(CONSTANT.fullmatch(text))


def find_or(path, document, default):
    is_there, found = finds(path, document)
    return found if is_there else default


def read_source(value, start, defaults):
    """What OBS's `dynamic_source` sets."""
    if not isinstance(value, dict):
        return value
    if set(value) != {"get_input"}:
        return {name: read_source(member, start, defaults) for name, member in value.items()}
    path = value["get_input"]
    parameter = path.removeprefix("$.inputs.")
    return find_or(path, start, defaults[parameter]) if parameter in defaults else find(path, start)


# Definitions, with the words of the three dialects made one: what `Execution` needs of each state

MATCHES = {
    "MatchAny": None,
    "States.ActionFailed": "$.errorCode != 408",
    "States.PermissionError":
        "$.errorCode == 401 || $.errorCode == 403 || $.errorType == 'Lambda.AccessDeniedException'",
    "States.ParameterError": "$.errorCode == 400 || $.errorType == 'Lambda.InvalidParameterValueException'",
    "States.NotFound": "$.errorCode == 404 || $.errorType == 'Lambda.ResourceNotFoundException'",
    "States.TooManyRequests": "$.errorCode == 429 || $.errorType == 'Lambda.TooManyRequestsException'",
    "States.FunctionStageUnavailable": "$.errorCode == 503 || $.errorType == 'Lambda.ServiceException'",
    "States.FunctionStageOtherErrors": " && ".join(
        [f"$.errorCode != {code}" for code in (400, 401, 403, 404, 408, 429, 503)]
        + [
            f"$.errorType != 'Lambda.{name}Exception'"
            for name in ("AccessDenied", "InvalidParameterValue", "ResourceNotFound", "TooManyRequests", "Service")
        ]
    ),
}


def function_name(operation):
    """The name in a function's URN, in its full or its short form."""
    parts = operation.split(":")
    return parts[6] if parts[4] == "function" else parts[4]


def read_v2(definition):
    constants = definition.get("constants", {})
    operations = {function["name"]: function["operation"] for function in definition.get("functions", [])}
    policies = {retry["name"]: retry for retry in definition.get("retries", [])}

    def route(given):
        policy = policies.get(given.get("retry_ref"))
        expression = read_expression(given["error"]) if given.get("error") else None
        return {
            "holds": lambda thrown, document: expression(document) if expression else thrown,
            "attempts": policy.get("max_attempts", 3) if policy else 0,
            "delay": policy.get("delay", 1) if policy else 0,
            "to": given.get("transition") or None,
        }

    def action(given, routes):
        function = given["function_ref"]
        return {
            "function": function_name(operations[function["ref_name"]]),
            "payload": read_argument(function.get("arguments", {}), constants),
            "is_asynchronous": False,
            "routes": routes,
        }

    states = {}
    for state in definition["states"]:
        routes = [route(given) for given in state.get("on_errors", [])]
        filters = state.get("state_data_filter") or {}
        states[state["id"]] = {
            "type": {"Sleep": "DELAY"}.get(state["type"], state["type"].upper()),
            "is_parallel": state.get("action_mode") == "parallel",
            "actions": [action(given, routes) for given in state["actions"]],
            "seconds": math.ceil(state.get("duration", 0)),
            "input": filters.get("input") or "$",
            "output": filters.get("output") or "$",
            "next": state["transition"] or None,
        }
    return definition["start"], states


def read_map(definition, start_input):
    states = definition["states"]
    if isinstance(states, list):
        states = {state["state_name"]: state for state in states}
    inputs = definition.get("inputs", {})
    if isinstance(inputs, list):
        inputs = {parameter["parameter_name"]: parameter for parameter in inputs}
    defaults = {name: parameter["default"] for name, parameter in inputs.items() if "default" in parameter}

    def word(given, hyphenated, default=None):
        return given.get(hyphenated, given.get(hyphenated.replace("-", "_"), default))

    def route(given):
        match = MATCHES[given["match"]]
        expression = read_expression(match) if match else lambda document: True
        return {
            "holds": lambda thrown, document: thrown and expression(document),
            "attempts": word(given, "max-retry", 3),
            "delay": word(given, "retry-interval", 1),
            "to": None if given.get("is_terminal") else word(given, "next-state"),
        }

    def action(given):
        path = word(given, "payload-filter", "$")

        def payload(value):
            found = find(path, value)
            if "dynamic_source" not in given:
                return found
            source = read_source(given["dynamic_source"], start_input, defaults)
            if not isinstance(found, dict):
                raise Failed("States.IntrinsicFailure")  # there is nothing to set the member in
            return {**found, "dynamic_source": source}

        return {
            "function": function_name(given["function"]),
            "payload": payload,
            "is_asynchronous": word(given, "invocation-mode") == "ASYNC",
            "routes": [route(result) for result in given.get("results", [])],
        }

    def choice(given):
        value = given["value"]
        constant = f"'{value}'" if isinstance(value, str) else json.dumps(value)
        return compare(given["path"], "==", CONSTANT.fullmatch(constant)), word(given, "next-state")

    read = {}
    for name, state in states.items():
        read[name] = {
            "type": state["type"],
            "is_parallel": word(state, "action-mode") == "PARALLEL",
            "actions": [action(given) for given in state.get("actions", [])],
            "seconds": word(state, "time-delay"),
            "choices": [choice(given) for given in state.get("choices", [])],
            "input": word(state, "payload-filter-in", "$"),
            "output": word(state, "payload-filter-out", "$"),
            "next": word(state, "next-state") or state.get("default"),
        }
    return next(name for name, state in states.items() if state.get("start")), read


# Executions


class Execution:
    """One execution of a definition with scripted functions."""

    def __init__(self, definition, start, functions, prefix):
        is_map = isinstance(definition["states"], dict) or any("state_name" in state for state in definition["states"])
        first, self.states = read_map(definition, start["input"]) if is_map else read_v2(definition)
        at = start.get("at", {"node": first, "input": start["input"]})
        self.first, self.value = at["node"], at["input"]
        self.is_express = definition.get("mode") == "EXPRESS"
        self.merges = start["merge"]
        self.functions, self.prefix = functions, prefix
        self.calls, self.waits = [], []
        self.made = {}

    def run(self):
        """The outcome, in the form of `scripted.py`."""
        outcome = {"status": "SUCCEEDED", "output": None, "error": None, "cause": None}
        try:
            state = self.first
            while state:
                state = self.enter(self.states[state])
            outcome["output"] = self.value
        except NothingFound:
            outcome.update(status="FAILED", error="States.Runtime")
        except Failed as failed:
            outcome.update(status="FAILED", error=failed.error, cause=failed.cause)
        except TimedOut:
            outcome.update(status="TIMED_OUT")
        return {**outcome, "calls": self.calls, "waits": self.waits}

    def enter(self, state):
        """Runs a state, and returns the next."""
        self.value = find(state["input"], self.value)
        following = state["next"]
        if state["type"] == "OPERATION" and not all(action["is_asynchronous"] for action in state["actions"]):
            return self.operate(state)
        if state["type"] == "OPERATION":
            for action in state["actions"]:
                self.invoke(action, action["payload"](self.value))
        elif state["type"] == "DELAY":
            self.wait(state["seconds"])
        elif state["type"] == "SWITCH":
            following = next((to for holds, to in state["choices"] if holds(self.value)), following)
        self.value = find(state["output"], self.value)
        return following

    def operate(self, state):
        """Calls functions whose results matter, and returns the next state."""
        if state["is_parallel"]:
            ends = [self.call(action, self.value, in_parallel=True) for action in state["actions"]]
            route, document = next((end for end in ends if end[0]), (None, [document for _, document in ends]))
        else:
            for number, action in enumerate(state["actions"]):
                route, document = self.call(action, self.value, in_parallel=False)
                if route:
                    break
                if number + 1 < len(state["actions"]):
                    self.carry(document)
        if route and not route["to"]:
            raise failed_node(document)
        self.carry(document if route else find(state["output"], document))
        return route["to"] if route else state["next"]

    def carry(self, document):
        """Makes an output the next input."""
        merges = self.merges and isinstance(self.value, dict) and isinstance(document, dict)
        self.value = {**self.value, **document} if merges else document

    def call(self, action, value, in_parallel):
        """Calls a function until it is done with: the error route that is to be taken or None, and the document."""
        attempts = [0] * len(action["routes"])
        event = action["payload"](value)
        while True:
            thrown, document, failure = self.invoke(action, event)
            routes = enumerate(action["routes"])
            number, route = next((pair for pair in routes if pair[1]["holds"](thrown, document)), (None, None))
            if route is None:
                if not thrown:
                    return None, document
                if action["routes"] or in_parallel:
                    return {"to": None}, document
                raise failure
            if attempts[number] == route["attempts"]:
                return route, document
            attempts[number] += 1
            if route["delay"]:
                self.wait(route["delay"])

    def invoke(self, action, event):
        """Calls a function once: whether it threw, its document, and the failure that it is where no route is."""
        name = self.prefix + action["function"]
        for _ in range(1 + REPETITIONS):
            number = self.made[name] = self.made.get(name, 0) + 1
            self.calls.append([name, event])
            steps = self.functions[name]
            step = steps[min(number, len(steps)) - 1]
            if step.get("refuse", {}).get("error") not in REPEATED:
                break
        if "refuse" in step:
            error, cause = step["refuse"]["error"], step["refuse"]["cause"]
            document = {"errorCode": 500, "errorType": error, "errorMessage": cause}
        elif "throw" in step:
            error, cause = step["throw"]["errorType"], json.dumps(step["throw"])
            document = {"errorCode": 500, "errorType": error, "errorMessage": cause, **step["throw"]}
        elif "slow" in step:
            error, cause = "States.Timeout", None
        else:
            return False, event if "echo" in step else step["return"], None
        if error in ("States.Timeout", "Sandbox.Timedout"):
            message = "the function did not answer in time"
            document = {"errorCode": 408, "errorType": error, "errorMessage": message}
        return True, document, Failed(error, cause)

    def wait(self, seconds):
        """Waits; an EXPRESS flow may be over then."""
        self.waits.append(seconds)
        if self.is_express and sum(self.waits) >= EXPRESS_SECONDS:
            raise TimedOut
