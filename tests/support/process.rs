//! The built binary as a process of its own.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::root;

/// Ends a hang, nothing else: no test depends on how long something takes.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// The binary with nothing in its environment but a fixed time, the samples and a data directory.
pub fn command(data_dir: &Path) -> Command {
    let clock = std::fs::read_to_string(root().join("events/clock.txt")).expect("events/clock.txt");
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowgate"));
    command.env_clear().current_dir(data_dir);
    command.env("FLOWGATE_DATA_DIR", data_dir).env("FLOWGATE_WORKFLOWS_DIR", root().join("workflows"));
    command.env("FLOWGATE_FIXED_TIME", clock.trim()).env("PORT", "0");
    command
}

/// Makes the command a Lambda function of the Runtime API at `address`, as a Lambda emulator would start it.
pub fn as_function(command: &mut Command, address: SocketAddr) -> &mut Command {
    command
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "flowgate")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
}

/// A running binary. It is killed when dropped.
pub struct Process {
    child: Child,
    lines: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
    stdout: Option<JoinHandle<String>>,
}

/// What a process left behind.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Process {
    /// Starts a command.
    pub fn spawn(command: &mut Command) -> Self {
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("a process");
        let (out, mut err) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
        let (sender, lines) = channel();
        let stdout = std::thread::spawn(move || {
            let mut text = String::new();
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                text += &format!("{line}\n");
                let _ = sender.send(line);
            }
            text
        });
        let stderr = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = err.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Self { child, lines, stdout: Some(stdout), stderr: Some(stderr) }
    }

    /// Starts plain HTTP and waits for the address it answers on.
    pub fn serve(command: &mut Command) -> (Self, SocketAddr) {
        let mut process = Self::spawn(command);
        let line = process.line_with("flowgate answers on http://");
        let (_, address) = line.split_once("http://").expect("a URL");
        (process, address.parse().expect("an address"))
    }

    /// Waits for the next line on standard output that has `text` in it.
    pub fn line_with(&mut self, text: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(DEADLINE) else {
                let _ = self.child.kill();
                panic!("no line with {text:?}: {:?}", self.end());
            };
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Asks it to end, as a container's manager does.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends it a signal by its name.
    pub fn signal(&self, name: &str) {
        // The shell's own kill: there may be no other on a small machine.
        let kill = ["-c", "kill -\"$0\" \"$1\"", name, &self.id().to_string()];
        assert!(Command::new("sh").args(kill).status().expect("a shell").success());
    }

    /// The system's number for it.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it on the spot: SIGKILL.
    pub fn kill(mut self) -> Ended {
        self.child.kill().expect("a running process");
        self.end()
    }

    /// Waits for its end.
    pub fn end(&mut self) -> Ended {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(begun.elapsed() < DEADLINE, "the process does not end");
            std::thread::sleep(Duration::from_millis(5));
        };
        let text = |reader: &mut Option<JoinHandle<String>>| reader.take().expect("one end").join().expect("a text");
        Ended { status, stdout: text(&mut self.stdout), stderr: text(&mut self.stderr) }
    }

    /// Asks it to end and waits for that.
    pub fn stop(mut self) -> Ended {
        self.terminate();
        self.end()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
