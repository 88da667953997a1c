"""Sections `throughput`, `growth` and `engine`: servers under a bounded load over loopback."""

import json
import statistics
import subprocess
import time

from . import programs, requests
from .console import Skip, say
from .servers import Flowgate, MiniStack, Moto, Restate, Service

CONNECTIONS = (1, 8, 64)

# The list pages that are read: their names, and what is asked.
PAGES = {"first": "limit=100", "offset 500": "limit=100&offset=500"}


def load(server, request, connections, prefix="", **limits):
    """Runs the load client and returns what it measured. An error ends the benchmark, for it would be measured as speed."""
    command = [programs.own("load"), server.address, f"--connections={connections}", f"--prefix={prefix}"]
    command += [f"--{name}={value}" for name, value in limits.items()]
    done = subprocess.run(command, input=request, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"error: {done.stderr.strip()}")
    result = json.loads(done.stdout)
    if result["errors"]:
        problem = f"{result['errors']} of the requests failed: {result['first_error']}"
        raise SystemExit(f"error: {server.name}: {problem}; its log ends with {server.last_lines()}")
    return result


def start_of(server, workflow="one-step"):
    return requests.start(server.address, workflow)


# --- throughput -------------------------------------------------------------------------------------------------------


def contenders(service):
    """Name of the row, how its server is started, and its request for a start."""
    step = requests.one_step(service.url if service else "http://127.0.0.1:9/")
    rows = {
        "flowgate": (lambda: Flowgate([step]), start_of),
        "flowgate, runs one step": (lambda: Flowgate([step], "embedded"), start_of),
        "Restate": (lambda: Restate(service), lambda server: server.start("run/send?delay=1h")),
        "Restate, runs one step": (lambda: Restate(service), lambda server: server.start("run/send")),
        "moto": (Moto, lambda server: server.start()),
        "MiniStack": (MiniStack, lambda server: server.start()),
    }
    if not service:
        rows = {name: row for name, row in rows.items() if "Restate" not in name and "step" not in name}
    return rows


def throughput(options):
    service = open_service()
    try:
        # Round by round and not contender by contender, so that a machine that changes its speed does so for all.
        seconds, rounds = options.seconds(8, 1), options.count(3, 1)
        runs, skipped = {}, {}
        for number in range(rounds):
            for name, (open_server, request) in contenders(service).items():
                if name in skipped:
                    continue
                try:
                    with open_server() as server:
                        runs.setdefault(name, []).append(run_contender(name, server, request, seconds, number))
                except Skip as reason:
                    say(f"throughput: SKIPPED {name}: {reason}")
                    skipped[name] = str(reason)
    finally:
        if service:
            service.stop()
    return {
        "seconds": seconds,
        "rounds": rounds,
        "servers": {name: middle(measured) for name, measured in runs.items()},
        "skipped": skipped,
        "versions": {name: measured[0]["version"] for name, measured in runs.items() if "runs" not in name},
    }


def open_service():
    try:
        return Service()
    except (Skip, OSError) as reason:
        say(f"SKIPPED Restate and all that runs steps: {reason}")
        return None


def run_contender(name, server, request, seconds, number):
    prefix = f"r{number}-"
    load(server, request(server), 8, prefix + "w-", seconds=max(seconds / 4, 0.5))
    # Traced, everything is slow: nothing is timed then. Where steps run, their own flushes would be counted in part.
    flushes = flushes_per_start(server, request) if number == 0 and "runs" not in name else {}
    idle_mb, cpu, written, begun = server.memory_mb(), server.cpu_seconds(), server.written_bytes(), 0
    by_connections = {}
    for connections in CONNECTIONS:
        result = load(server, request(server), connections, f"{prefix}{connections}-", seconds=seconds)
        by_connections[str(connections)] = result
        begun += result["answers"]
        rate, p50, p99 = result["per_second"], result["p50_us"] / 1e3, result["p99_us"] / 1e3
        say(f"throughput: {name} c={connections}: {rate:,.0f}/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    return {
        "version": server.version,
        "durability": server.durability,
        "connections": by_connections,
        "memory_mb": server.memory_mb(),
        "memory_before_mb": idle_mb,
        "cpu_us_per_start": round((server.cpu_seconds() - cpu) / begun * 1e6, 1),
        "written_bytes_per_start": round((server.written_bytes() - written) / begun),
        "flushes_per_start": flushes,
    }


def flushes_per_start(server, request):
    result = {}
    for connections, starts in ((1, 50), (64, 400)):
        prefix = f"f{connections}-"
        count = server.count_flushes(lambda: load(server, request(server), connections, prefix, count=starts))
        if count is not None:
            result[str(connections)] = round(count / starts, 2)
    return result


def middle(measured):
    """The median of the rounds, number by number; what is not a number, and what only the first round has, is the first's."""
    first = measured[0]
    if isinstance(first, dict):
        return {key: middle([one[key] for one in measured if key in one]) for key in first}
    if isinstance(first, (int, float)):
        return statistics.median(measured)
    return first


# --- growth -----------------------------------------------------------------------------------------------------------


def growth(options):
    goal = options.records
    sizes = [size for size in (1_000, 100_000, 1_000_000) if size < goal] + [goal]
    seconds = options.seconds(8, 1)
    points, fill, begin = [], [], time.monotonic()
    with Flowgate([requests.sleeping(86_400)]) as server:
        total = 0
        for size in sizes:
            # In pieces, each with a signature of its own, and each a point of the curve.
            while total < size:
                count = min(size - total, max(size // 20, 500))
                result = load(server, start_of(server, "sleeping"), 64, "g-", first=total, count=count)
                total += count
                fill.append({"records": total, "per_second": result["per_second"], "p99_us": result["p99_us"]})
                say(f"growth: {total:,} records, {result['per_second']:,.0f} starts/s")
            at = f"m{size}-"
            point = {"records": size, "connections": {}, "lists": lists(server, size, options)}
            for connections in (1, 64):
                # Not so many that a small store is another one afterwards.
                limits = {"seconds": seconds, "count": max(size // 4, 10_000)}
                result = load(server, start_of(server, "sleeping"), connections, f"{at}{connections}-", **limits)
                point["connections"][str(connections)] = result
                total += result["answers"]
                p99 = result["p99_us"] / 1e3
                say(f"growth: at {size:,} c={connections}: {result['per_second']:,.0f}/s, p99 {p99:.1f} ms")
            point["memory_mb"] = server.memory_mb()
            point["data_bytes"] = sum(file.stat().st_size for file in server.directory.rglob("*") if file.is_file())
            points.append(point)
        version = server.version
    return {
        "points": points,
        "fill": fill,
        "all_seconds": round(time.monotonic() - begin),
        "versions": {"flowgate": version},
    }


def lists(server, records, options):
    """Latency of list pages: the newest hundred, and a hundred after five hundred that are passed over."""
    result = {}
    for name, query in PAGES.items():
        request = requests.get(server.address, "sleeping", "executions", query)
        result[name] = load(server, request, 1, count=options.count(100, 5))
        say(f"growth: at {records:,} the page {name}: p50 {result[name]['p50_us'] / 1e3:.1f} ms")
    return result


# --- engine -----------------------------------------------------------------------------------------------------------


def engine(options):
    count = options.count(10_000, 300)
    result = {"executions": count, "servers": {}, "skipped": {}, "versions": {}}
    service = open_service()
    try:
        if service:
            step = requests.one_step(service.url)
            runners = {
                "flowgate": (lambda: Flowgate([step], "embedded"), start_of, "http"),
                "Restate": (lambda: Restate(service), lambda server: server.start("run/send"), "restate"),
            }
            for name, (open_server, request, counter) in runners.items():
                try:
                    with open_server() as server:
                        result["servers"][name] = run_steps(name, server, request(server), service, counter, count)
                        result["versions"][name] = server.version
                except Skip as reason:
                    say(f"engine: SKIPPED {name}: {reason}")
                    result["skipped"][name] = str(reason)
    finally:
        if service:
            service.stop()
    try:
        result["sleeping"] = sleepers(options.count(10_000, 200))
    except Skip as reason:
        say(f"engine: SKIPPED sleeping executions: {reason}")
        result["skipped"]["sleeping executions"] = str(reason)
    return result


def run_steps(name, server, request, service, counter, count):
    """Starts executions of one step as fast as they are taken, and waits until the service was called for all of them."""
    warm_up = max(count // 10, 100)
    load(server, request, 8, "w-", count=warm_up)
    wait_for_calls(service, counter, warm_up)
    before, cpu, begin = service.calls(counter), server.cpu_seconds(), time.monotonic()
    accepted = load(server, request, 64, "e-", count=count)
    wait_for_calls(service, counter, before + count)
    seconds = time.monotonic() - begin
    say(f"engine: {name}: {count} executions of one step in {seconds:.1f} s: {count / seconds:,.0f}/s")
    measured = {
        "per_second": round(count / seconds, 1),
        "seconds": round(seconds, 2),
        "accepted": accepted,
        "memory_mb": server.memory_mb(),
        "cpu_us_per_execution": round((server.cpu_seconds() - cpu) / count * 1e6, 1),
    }
    if isinstance(server, Flowgate):
        status = ended(server, "one-step", f"e-{count - 1}")
        if status != "success":
            raise Skip(f"an execution that called its function is `{status}`")
    return measured


def wait_for_calls(service, counter, wanted, patience=15):
    """Waits until the function was called that often; gives up if it is not called any more."""
    last, changed = 0, time.monotonic()
    while (done := service.calls(counter)) < wanted:
        if done > last:
            last, changed = done, time.monotonic()
        elif time.monotonic() - changed > patience:
            raise Skip(f"only {done} of {wanted} accepted executions called their function")
        time.sleep(0.05)


def ended(server, workflow, execution, seconds=20):
    """The status of an execution once it is final, or after that many seconds."""
    end = time.monotonic() + seconds
    status = None
    while time.monotonic() < end:
        status = json.loads(server.get(workflow, f"executions/{execution}"))["status"]
        if status in ("success", "fail", "timeout", "cancel"):
            break
        time.sleep(0.05)
    return status


def wait_until_calm(server, seconds=180):
    """Waits until the server has nothing more to do: half a second of processor time in ten is calm."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = server.cpu_seconds()
        time.sleep(2)
        if server.cpu_seconds() - before < 0.1:
            return
    raise Skip(f"the server still works {seconds} s after the last start")


def sleepers(count):
    """Memory and threads of many executions that sleep, against the same server with none."""
    with Flowgate([requests.sleeping(86_400)], "embedded") as server:
        load(server, start_of(server, "sleeping"), 8, "first-", count=64)
        idle_mb, idle_threads = server.memory_mb(), server.threads()
        load(server, start_of(server, "sleeping"), 64, "s-", count=count)
        wait_until_calm(server)
        status = ended(server, "sleeping", f"s-{count - 1}", seconds=0.1)
        if status != "running":
            raise Skip(f"the last of {count} executions is `{status}` and not asleep")
        # Processor time over a while in which nothing happens: sleeping must cost none.
        cpu = server.cpu_seconds()
        time.sleep(5)
        result = {
            "executions": count,
            "memory_mb": server.memory_mb(),
            "threads": server.threads(),
            "memory_before_mb": idle_mb,
            "threads_before": idle_threads,
            "cpu_percent_asleep": round((server.cpu_seconds() - cpu) / 5 * 100, 1),
        }
    say(f"engine: {count} sleeping executions: {idle_mb} -> {result['memory_mb']} MB, {result['threads']} threads")
    return result
