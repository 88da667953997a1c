//! Starts programs as Lambda functions of a stand-in and times them. `bench/functions.py` tells it on standard input what to
//! do, and reads on standard output what was measured, both as JSON.

use std::collections::BTreeMap;
use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use flowgate_bench::stand_in::{StandIn, Stored};
use serde::{Deserialize, Serialize};

/// What stands for a number that no other start has.
const NUMBER: &str = "{{n}}";

#[derive(Deserialize)]
struct Task {
    /// A command that fills the table, and what Secrets Manager holds.
    setup: Program,
    secret: String,
    programs: Vec<Program>,
    what: What,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    /// Each program is started this often, in turn, and answers one event.
    Cold { rounds: usize },
    /// Each program is started once and answers this many events in turn with the others, after those that warm it up.
    Warm { warmup: usize, events: usize },
}

#[derive(Deserialize)]
struct Program {
    name: String,
    command: Vec<String>,
    env: BTreeMap<String, String>,
    /// Where its standard error goes.
    log: String,
    #[serde(default)]
    event: String,
}

/// Times in microseconds.
#[derive(Default, Serialize)]
struct Measured {
    /// From the start of the process to its asking for an event.
    init: Vec<f64>,
    /// The processor time it had until then.
    init_cpu: Vec<f64>,
    /// From the event to the answer.
    answer: Vec<f64>,
    /// Calls of AWS by operation: those of the last start if cold, those of all measured events if warm.
    calls: BTreeMap<String, u64>,
}

/// A running program. It is killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() -> Result<()> {
    let task: Task = serde_json::from_reader(std::io::stdin().lock()).context("the task cannot be read")?;
    let stored = Arc::new(Stored::new(task.secret));
    let setup = StandIn::new(Arc::clone(&stored))?;
    let status = command(&task.setup, &setup)?.status().context("the set-up cannot be started")?;
    ensure!(status.success(), "the set-up failed, see {}", task.setup.log);
    let measured = match task.what {
        What::Cold { rounds } => cold(&task.programs, &stored, rounds)?,
        What::Warm { warmup, events } => warm(&task.programs, &stored, warmup, events)?,
    };
    serde_json::to_writer(std::io::stdout().lock(), &measured)?;
    Ok(())
}

fn command(program: &Program, stand_in: &StandIn) -> Result<Command> {
    let (name, arguments) = program.command.split_first().context("a program without a command")?;
    let log = File::create(&program.log).with_context(|| format!("{} cannot be written", program.log))?;
    let url = format!("http://{}", stand_in.address);
    let mut command = Command::new(name);
    command
        .args(arguments)
        .env_clear()
        .env("AWS_ENDPOINT_URL", url)
        .env("AWS_REGION", "local-1")
        .env("AWS_ACCESS_KEY_ID", "anybody")
        .env("AWS_SECRET_ACCESS_KEY", "anything")
        .envs(&program.env)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    Ok(command)
}

fn start(program: &Program, stand_in: &StandIn) -> Result<Running> {
    let mut command = command(program, stand_in)?;
    command
        .env("AWS_LAMBDA_RUNTIME_API", stand_in.address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "flowgate")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("LAMBDA_TASK_ROOT", "/var/task");
    command.spawn().map(Running).with_context(|| format!("{} cannot be started", program.name))
}

fn cold(programs: &[Program], stored: &Arc<Stored>, rounds: usize) -> Result<BTreeMap<String, Measured>> {
    let mut measured = BTreeMap::<String, Measured>::new();
    for round in 0..rounds {
        for program in programs {
            let stand_in = StandIn::new(Arc::clone(stored))?;
            let begin = Instant::now();
            let process = start(program, &stand_in)?;
            let asked = stand_in.next().context(program.name.clone())?;
            let cpu = cpu_micros(process.0.id());
            stand_in.send(program.event.replace(NUMBER, &format!("cold-{round}")));
            let (given, answered) = stand_in.answer().context(program.name.clone())?;
            drop(process);
            let entry = measured.entry(program.name.clone()).or_default();
            entry.init.push(micros(asked - begin));
            entry.init_cpu.extend(cpu);
            entry.answer.push(micros(answered - given));
            entry.calls = stand_in.take_calls();
        }
    }
    Ok(measured)
}

fn warm(
    programs: &[Program],
    stored: &Arc<Stored>,
    warmup: usize,
    events: usize,
) -> Result<BTreeMap<String, Measured>> {
    let mut running = Vec::new();
    for program in programs {
        let stand_in = StandIn::new(Arc::clone(stored))?;
        let process = start(program, &stand_in)?;
        running.push((program, stand_in, process));
    }
    let mut measured = BTreeMap::<String, Measured>::new();
    for event in 0..warmup + events {
        for (program, stand_in, _) in &running {
            stand_in.next().context(program.name.clone())?;
            if event == warmup {
                stand_in.take_calls();
            }
            stand_in.send(program.event.replace(NUMBER, &format!("warm-{event}")));
            let (given, answered) = stand_in.answer().context(program.name.clone())?;
            if event >= warmup {
                measured.entry(program.name.clone()).or_default().answer.push(micros(answered - given));
            }
        }
    }
    for (program, stand_in, mut process) in running {
        measured.entry(program.name.clone()).or_default().calls = stand_in.take_calls();
        // Told to end, so that it, or the valgrind around it, can say what it counted.
        Command::new("kill").arg(process.0.id().to_string()).status()?;
        process.0.wait()?;
    }
    Ok(measured)
}

/// The processor time of all living threads of a process.
fn cpu_micros(process: u32) -> Option<f64> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let nanos = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Some(nanos.sum::<u64>() as f64 / 1e3)
}

fn micros(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e3
}
