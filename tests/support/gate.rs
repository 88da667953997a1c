//! A door between the binary and its storage: shut, every call waits in front of it; taken down, nobody answers there.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use super::Emulator;

/// What names the operation of a start in the head of its request.
const PUT: &[u8] = b"DynamoDB_20120810.PutItem";

#[derive(Default)]
struct State {
    is_shut: bool,
    is_down: bool,
    /// How many writes of new records stand before the door; an engine that looks for work reads all the time.
    waiting: usize,
    streams: Vec<TcpStream>,
}

/// The door, with an emulator of DynamoDB behind it.
pub struct Gate {
    address: SocketAddr,
    shared: Arc<(Mutex<State>, Condvar)>,
    acceptor: Option<JoinHandle<()>>,
}

impl Gate {
    /// Opens a store and a door to it.
    pub fn new() -> Self {
        let emulator = Emulator::start();
        let behind: SocketAddr = emulator.url().trim_start_matches("http://").parse().expect("an address");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let doorman = shared.clone();
        let acceptor = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if doorman.0.lock().expect("a lock").is_down {
                    return;
                }
                pass(stream.expect("a connection"), behind, &doorman);
            }
        });
        Self { address, shared, acceptor: Some(acceptor) }
    }

    /// Where the door is, as `AWS_ENDPOINT_URL_DYNAMODB` has it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().expect("a lock")
    }

    /// Keeps further calls waiting.
    pub fn shut(&self) {
        self.state().is_shut = true;
    }

    /// Lets the calls pass, those that wait too.
    pub fn open(&self) {
        self.state().is_shut = false;
        self.shared.1.notify_all();
    }

    /// Waits until at least `count` starts stand before the door.
    pub fn wait_for(&self, count: usize) {
        let (state, timeout) = self
            .shared
            .1
            .wait_timeout_while(self.state(), super::process::DEADLINE, |state| state.waiting < count)
            .expect("a lock");
        assert!(!timeout.timed_out(), "{} starts of {count} came", state.waiting);
    }

    /// Takes the storage away: its port is closed from now on.
    pub fn take_down(&mut self) {
        let streams = {
            let mut state = self.state();
            state.is_down = true;
            std::mem::take(&mut state.streams)
        };
        for stream in streams {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // The one who waits for connections looks up when one comes.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.join().expect("the port is closed");
        }
    }
}

fn pass(outside: TcpStream, behind: SocketAddr, shared: &Arc<(Mutex<State>, Condvar)>) {
    let inside = TcpStream::connect(behind).expect("the embedded store");
    for stream in [&outside, &inside] {
        stream.set_nodelay(true).expect("a socket");
        shared.0.lock().expect("a lock").streams.push(stream.try_clone().expect("a socket"));
    }
    let (answers_from, answers_to) = (inside.try_clone().expect("a socket"), outside.try_clone().expect("a socket"));
    std::thread::spawn(move || copy(answers_from, answers_to, |_| {}));
    let shared = shared.clone();
    std::thread::spawn(move || {
        copy(outside, inside, |bytes| {
            let (lock, changed) = &*shared;
            let mut state = lock.lock().expect("a lock");
            if state.is_shut {
                let starts = usize::from(bytes.windows(PUT.len()).any(|window| window == PUT));
                state.waiting += starts;
                changed.notify_all();
                state = changed.wait_while(state, |state| state.is_shut).expect("a lock");
                state.waiting -= starts;
            }
        });
    });
}

fn copy(mut from: TcpStream, mut to: TcpStream, before: impl Fn(&[u8])) {
    let mut buffer = [0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        before(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
