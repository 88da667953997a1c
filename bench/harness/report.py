"""latest.md, the plots and the README's table, made from latest.json: a part for each section that was measured."""

from . import plot
from .serving import PAGES

# What is to be reached, and whether it is, is the first table; everything else explains it.
GOAL_HEAD = "| goal | measured | reached |\n|---|---|---|\n"


def render(results):
    """The text of every file of the results by its name, and the table of goals with what it was measured with."""
    written, parts, goals, stamps = {}, [], [], []
    for name, render_section in RENDERERS.items():
        if name in results:
            plots, markdown, section_goals = render_section(results[name])
            written.update({f"{file}.svg": svg for file, svg in plots.items()})
            parts.append(f"{markdown}\n{stamp_text(results[name])}\n")
            parts += [f"![{file}]({file}.svg)\n" for file in plots]
            goals += section_goals
            stamps.append(f"<sub>{name}: {' '.join(stamp_lines(results[name]))}</sub>  \n")
    head = "# Benchmark\n\nWritten by `make bench`. Ratios are the result; times say what they were on this machine.\n"
    table = GOAL_HEAD + "".join(f"| {' | '.join(goal)} |\n" for goal in goals)
    written["latest.md"] = "\n".join([head, table, *parts])
    return written, table + "\n" + "".join(stamps)


def at_most(limit, goal, *measured):
    """A line of the table of goals, and whether every value keeps to it."""
    return line(goal, measured, lambda value: value <= limit)


def at_least(limit, goal, *measured):
    return line(goal, measured, lambda value: value >= limit)


def line(goal, measured, keeps):
    if None in measured:
        verdict = "not measured"
    else:
        verdict = "yes" if all(map(keeps, measured)) else "**no**"
    return goal, " / ".join(map(times, measured)), verdict


def stamp_lines(section):
    stamp = section["stamp"]
    versions = ", ".join(value if value.startswith(name) else f"{name} {value}" for name, value in stamp["versions"].items())
    flush = stamp["flush_us"]
    quick = " QUICK RUN: these numbers mean nothing." if section["quick"] else ""
    return [
        f"{stamp['date']}, {stamp['seconds']:.0f} s, commit {stamp['commit']}. {stamp['machine']}; {stamp['kernel']}; "
        f"{stamp['disk']}, 4 KiB on disk in {flush['p50']:.0f} µs (p99 {flush['p99']:.0f}).{quick}",
        f"Load average {join(stamp['load_before'])} before, {join(stamp['load_after'])} after. {versions}.",
    ]


def stamp_text(section):
    return "".join(f"<sub>{line}</sub>  \n" for line in stamp_lines(section))


def join(numbers):
    return " ".join(f"{number:.2f}" for number in numbers)


def table(*rows):
    head, *body = [f"| {' | '.join(map(str, row))} |\n" for row in rows]
    return head + "|" + "---|" * len(rows[0]) + "\n" + "".join(body)


def ms(micros, digits=2):
    return "-" if micros is None else f"{micros / 1e3:,.{digits}f}"


def ratio(one, other):
    return one / other if one is not None and other else None


def times(value):
    return "-" if value is None else f"{value:.2f}"


def per_start(calls):
    return ", ".join(f"{count:g} {operation}" for operation, count in calls.items()) or "none"


def skips(section):
    return "".join(f"\nSKIPPED {name}: {reason}.\n" for name, reason in section.get("skipped", {}).items())


def cold(section):
    rows = section["programs"]
    hello, flowgate = rows["hello"], rows["flowgate"]
    init = hello["init_us"]["p50"]
    head = ["program", "init p50, ms", "p99", "of hello's", "CPU p50, ms", "first answer after init p50, ms", "p99",
            "AWS calls until then", "binary, MB", "zipped, MB"]
    body = [
        [name, ms(row["init_us"]["p50"]), ms(row["init_us"]["p99"]), times(ratio(row["init_us"]["p50"], init)),
         ms(row["init_cpu_us"]["p50"]), ms(row["first_answer_us"]["p50"]), ms(row["first_answer_us"]["p99"]),
         per_start(row["calls"]), f"{row['binary_bytes'] / 1e6:.2f}", f"{row['zip_bytes'] / 1e6:.2f}"]
        for name, row in rows.items()
    ]
    markdown = (
        "## Cold start\n\n"
        f"From the start of the process to its first `next`, and from the event it is then given to its answer; "
        f"{section['rounds']} rounds, the programs in turn. All are x86-64 builds with flowgate's release profile, "
        "flowgate as deployed (`--no-default-features`). AWS is a stand-in on loopback, plain HTTP, that answers at once. "
        "Credentials are in `FLOWGATE_CREDENTIALS`, in the row named so in a stand-in Secrets Manager, which is asked "
        "before the first `next`. The hello is as lambda_http's documentation has it, which starts a thread for each processor; "
        "flowgate starts none. The certificates that are trusted are in one file (`SSL_CERT_FILE`), as they are on Lambda's "
        "Amazon Linux; all of them are read for plain HTTP too. \"SDK defaults\" is the same main file with the default features of the SDK's crates.\n\n"
        + table(head, *body)
    )
    goals = [
        at_most(5, "cold: init after the bare hello's, ms: at most 5", (flowgate["init_us"]["p50"] - init) / 1e3),
        at_most(1.3, "cold: init, times the hello's: at most 1.3", ratio(flowgate["init_us"]["p50"], init)),
        *(
            (f"{what}: init, times {of}'s", times(ratio(rows[one]["init_us"]["p50"], rows[other]["init_us"]["p50"])), "no goal")
            for what, one, of, other in (
                ("cold", "flowgate", "a hello on one thread", "hello, one thread"),
                ("cold, callers' credentials in Secrets Manager", "flowgate, Secrets Manager", "the hello", "hello"),
            )
        ),
        at_most(10, "cold: first answer after init, ms: at most 10", flowgate["first_answer_us"]["p50"] / 1e3),
        at_most(5, "cold: zipped x86-64 binary, MB: at most 5", flowgate["zip_bytes"] / 1e6),
    ]
    series = {
        "init": [row["init_us"]["p50"] / 1e3 for row in rows.values()],
        "first answer after it": [row["first_answer_us"]["p50"] / 1e3 for row in rows.values()],
    }
    svg = plot.bars("Cold start, median", "ms", list(rows), series, stamp_lines(section))
    return {"cold": svg}, markdown, goals


def warm(section):
    rows = section["programs"]
    floor, flowgate = rows["floor, one thread"], rows["flowgate"]
    measures = {
        "p50, µs": lambda row: row["answer_us"]["p50"],
        "p90, µs": lambda row: row["answer_us"]["p90"],
        "p99, µs": lambda row: row["answer_us"]["p99"],
        "AWS calls": lambda row: sum(row["calls_per_start"].values()),
        "allocations": lambda row: row["allocations_per_start"],
        "bytes allocated": lambda row: row["heap_bytes_per_start"],
        "instructions": lambda row: row["instructions_per_start"],
    }
    body = []
    for name, read in measures.items():
        values = [read(row) for row in rows.values()]
        plain = ["not counted" if value is None else f"{value:,.6g}" for value in values]
        body.append([name, *plain, times(ratio(read(flowgate), read(floor)))])
    markdown = (
        "## Warm start through the Runtime API\n\n"
        "From the event to its answer, against a floor that does nothing but lambda_http, one PutItem and a fixed answer: as lambda_http's "
        "documentation has it, with threads to hand events to, and on one thread, as flowgate runs; "
        f"{section['events']:,} starts each, in turn. Allocations and instructions are what one more start adds in the life "
        "of the process; under callgrind, which counts the instructions, processors have none for SHA-256.\n\n"
        + table(["per start", *rows, "of one thread's"], *body)
    )
    calls = per_start(flowgate["calls_per_start"])

    def slower(name):
        return [ratio(flowgate["answer_us"][quantile], rows[name]["answer_us"][quantile]) for quantile in ("p50", "p99")]

    goals = [
        at_most(1.15, "warm: latency of a start, times the floor's, p50 / p99: at most 1.15", *slower("floor")),
        at_most(1.15, "warm: the same, times a floor's on one thread: at most 1.15", *slower("floor, one thread")),
        ("warm: storage calls of a start: one", calls, "yes" if flowgate["calls_per_start"] == {"PutItem": 1.0} else "**no**"),
    ]
    return {}, markdown, goals


def throughput(section):
    rows = section["servers"]
    head = ["", "c", "starts/s", "of Restate's", "p50, ms", "p99, ms", "of Restate's", "memory, MB", "CPU µs/start",
            "flushes/start", "bytes written/start"]
    body = []
    for name, row in rows.items():
        for connections, run in row["connections"].items():
            last = connections == list(row["connections"])[-1]
            peer = counterpart(rows, name).get("connections", {}).get(connections, {})
            flushes = row["flushes_per_start"].get(connections)
            body.append(
                [name, connections, f"{run['per_second']:,.0f}", times(ratio(run["per_second"], peer.get("per_second"))),
                 ms(run["p50_us"]), ms(run["p99_us"]), times(ratio(run["p99_us"], peer.get("p99_us"))),
                 f"{row['memory_mb']:,.0f}" if last else "", f"{row['cpu_us_per_start']:,.0f}" if last else "",
                 "" if flushes is None else f"{flushes:g}", f"{row['written_bytes_per_start']:,.0f}" if last else ""]
            )
    policies = "".join(f"- {name}: {row['durability']}\n" for name, row in rows.items())
    markdown = (
        "## Throughput over plain HTTP\n\n"
        f"A closed loop over c connections, {section['seconds']:g} s each, names that are new each time, an empty data "
        f"directory on a disk; the median of {section['rounds']} rounds in which the servers take turns. The load client "
        "runs on the same cores. flowgate accepts only, with its engine off, but in the rows that run steps; what Restate "
        "accepts is due in an hour. Memory is the server's after the last run. Flushes are counted by strace in a run of "
        "their own. A row that runs steps starts an execution whose one step calls a function; its answers do not wait "
        "for that.\n\n" + table(head, *body) + skips(section)
        + f"\nWhen a start is safe:\n\n{policies}"
    )
    goals = []
    for mine, what in (("flowgate", "HTTP, accepting only"), ("flowgate, runs one step", "HTTP, running one step")):
        theirs = counterpart(rows, mine)
        if mine in rows and theirs:
            goals += throughput_goals(rows[mine], theirs, what)
    counts = list(next(iter(rows.values()))["connections"])
    groups = [f"c = {connections}" for connections in counts]
    footer = stamp_lines(section)

    def series(read):
        return {name: [read(row["connections"][count]) for count in counts] for name, row in rows.items()}

    plots = {
        "throughput": plot.bars("Starts per second", "1/s", groups, series(lambda run: run["per_second"]), footer),
        "latency": plot.bars("Latency of a start, p99", "ms", groups, series(lambda run: run["p99_us"] / 1e3), footer),
    }
    return plots, markdown, goals


def counterpart(rows, name):
    """Restate doing the same, if it was measured."""
    return rows.get("Restate, runs one step" if "runs one step" in name else "Restate", {})


def throughput_goals(mine, theirs, what):
    runs = [(run, theirs["connections"][connections]) for connections, run in mine["connections"].items()]
    counts = " / ".join(mine["connections"])
    rates = [ratio(run["per_second"], other["per_second"]) for run, other in runs]
    p99s = [ratio(run["p99_us"], other["p99_us"]) for run, other in runs]
    memory = ratio(mine["memory_mb"], theirs["memory_mb"])
    return [
        at_least(1.5, f"{what}: starts/s, times Restate's, c = {counts}: at least 1.5", *rates),
        at_most(0.5, f"{what}: p99, times Restate's, c = {counts}: at most 0.5", *p99s),
        at_most(0.25, f"{what}: memory, times Restate's: at most 0.25", memory),
    ]


def growth(section):
    points = section["points"]
    first, last = points[0], points[-1]
    head = ["records", "c", "starts/s", "of the first", "p50, ms", "p99, ms", "memory, MB", "on disk, MB"]
    body = []
    for point in points:
        for connections, run in point["connections"].items():
            of_first = ratio(run["per_second"], first["connections"][connections]["per_second"])
            body.append([f"{point['records']:,}", connections, f"{run['per_second']:,.0f}", times(of_first),
                         ms(run["p50_us"]), ms(run["p99_us"]), f"{point['memory_mb']:,.0f}",
                         f"{point['data_bytes'] / 1e6:,.0f}"])
    whence = f"from {first['records']:,} to {last['records']:,} records"
    counts = " / ".join(last["connections"])
    pairs = [(run, first["connections"][connections]) for connections, run in last["connections"].items()]
    rates = [ratio(run["per_second"], before["per_second"]) for run, before in pairs]
    goals = [at_least(0.8, f"{whence}: starts/s, c = {counts}: at least 0.8 times", *rates)]
    for quantile in ("p50", "p99"):
        slower = [ratio(run[f"{quantile}_us"], before[f"{quantile}_us"]) for run, before in pairs]
        goals.append(at_most(1.2, f"{whence}: {quantile}, c = {counts}: at most 1.2 times", *slower))
    goals.append(at_most(1.2, f"{whence}: list page, {' / '.join(PAGES)}: at most 1.2 times", *list_factors(first, last)))
    pages = list_rows(points)
    markdown = (
        "## Growth\n\n"
        "Starts of one workflow with that many executions in the store, all of them scheduled (and up to "
        "20,000 or half as many more by the end of a row), and pages of its list (v2, 100 executions a page). "
        f"Filled over the API at c = 64; all of it took {section['all_seconds']:,} s. The first row is measured while the "
        "store's log grows for the first time, which makes its flushes slower than the later ones.\n\n"
        + table(head, *body)
        + f"\n{table(['list page', 'records', 'p50, ms', 'p99, ms'], *pages)}"
    )
    series = {"starts/s at c = 64, while it fills": [(at["records"], at["per_second"]) for at in section["fill"]]}
    svg = plot.lines("Starts per second as the store grows", "1/s", "records", series, stamp_lines(section))
    return {"growth": svg}, markdown, goals


def list_rows(points):
    return [
        [page, f"{point['records']:,}", ms(point["lists"][page]["p50_us"]), ms(point["lists"][page]["p99_us"])]
        for page in PAGES
        for point in points
    ]


def list_factors(first, last):
    for page in PAGES:
        before, after = (point["lists"][page]["p50_us"] for point in (first, last))
        yield ratio(after, before)


def engine(section):
    rows = section["servers"]
    head = ["", "executions/s", "of Restate's", "accepted/s", "memory, MB", "CPU µs/execution"]
    body = [
        [name, f"{row['per_second']:,.0f}", times(ratio(row["per_second"], rows.get("Restate", {}).get("per_second"))),
         f"{row['accepted']['per_second']:,.0f}", f"{row['memory_mb']:,.0f}",
         f"{row['cpu_us_per_execution']:,.0f}"]
        for name, row in rows.items()
    ]
    markdown = (
        "## Engine\n\n"
        f"{section['executions']:,} executions of one step, started at c = 64 as fast as they are taken; the time ends "
        "when the function was called for all of them. The function is one and the same Node process: a Restate service "
        "with `ctx.run`, and a plain HTTP function.\n\n" + (table(head, *body) if body else "")
    )
    plots, goals = {}, []
    if "flowgate" in rows and "Restate" in rows:
        factor = ratio(rows["flowgate"]["per_second"], rows["Restate"]["per_second"])
        goals.append(at_least(1, "engine: executions of one step per second, times Restate's: at least 1", factor))
    if rows:
        series = {"executions/s": [row["per_second"] for row in rows.values()]}
        plots["engine"] = plot.bars("Executions of one step per second", "1/s", list(rows), series, stamp_lines(section))
    sleeping = section.get("sleeping")
    if sleeping:
        count, added = sleeping["executions"], sleeping["memory_mb"] - sleeping["memory_before_mb"]
        markdown += (
            f"\n{count:,} sleeping executions: {sleeping['memory_mb']:,.0f} MB (from {sleeping['memory_before_mb']:,.0f}: "
            f"{added / count * 1e3:.1f} KB each), {sleeping['threads']} threads (from {sleeping['threads_before']}), "
            f"{sleeping['cpu_percent_asleep']:g} % of a core while they sleep.\n"
        )
        threads = sleeping["threads"] - sleeping["threads_before"]
        goals.append(at_most(0, f"engine: further threads for {count:,} sleeping executions: none", threads))
    return plots, markdown + skips(section), goals


RENDERERS = {"cold": cold, "warm": warm, "throughput": throughput, "growth": growth, "engine": engine}
