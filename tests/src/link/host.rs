//! One host: a network namespace and the TUN device in it.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use tun_rs::{DeviceBuilder, SyncDevice};

/// Where the system keeps the names of namespaces.
const NAMESPACES: &str = "/run/netns";
/// How the names of ours begin; the process and the number of the host follow.
const PREFIX: &str = "chartmesh-";
/// Below the usual 1500 bytes, as tunnels and mobile networks have it.
const MTU: &str = "1400";

/// Where a process is put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    namespace: Option<String>,
    address: Ipv4Addr,
}

impl Place {
    /// This machine itself, on loopback.
    #[must_use]
    pub fn loopback() -> Self {
        Self {
            namespace: None,
            address: Ipv4Addr::LOCALHOST,
        }
    }

    /// The address that others reach it at.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// A command that runs a program there.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let Some(namespace) = &self.namespace else {
            return Command::new(program);
        };
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace]).arg(program);
        command
    }
}

/// A host of a network. When it is dropped, the namespace goes.
pub(super) struct Host {
    pub(super) place: Place,
    pub(super) device: SyncDevice,
    _namespace: Namespace,
}

struct Namespace(String);

impl Host {
    /// Makes a host with a number of its own, from 0.
    ///
    /// # Errors
    /// What the machine lacks or refuses.
    pub(super) fn new(number: u8) -> Result<Self, String> {
        let process = std::process::id();
        let address = Ipv4Addr::new(10, 77, 0, number + 1);
        let name = format!("cm{process}-{number}");
        let device = DeviceBuilder::new()
            .name(&name)
            .enable(false)
            .build_sync()
            .map_err(|error| format!("no TUN device can be made: {error}"))?;
        device
            .set_nonblocking(true)
            .map_err(|error| error.to_string())?;
        let namespace = Namespace(format!("{PREFIX}{process}-{number}"));
        ip(&["netns", "add", &namespace.0])?;
        ip(&["link", "set", &name, "netns", &namespace.0])?;
        let within = |arguments: &[&str]| ip(&[&["-n", &namespace.0], arguments].concat());
        within(&["addr", "add", &format!("{address}/24"), "dev", &name])?;
        within(&["link", "set", &name, "mtu", MTU, "up"])?;
        within(&["link", "set", "lo", "up"])?;
        let place = Place {
            namespace: Some(namespace.0.clone()),
            address,
        };
        Ok(Self {
            place,
            device,
            _namespace: namespace,
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // A namespace that was never made cannot be removed.
        drop(ip(&["netns", "del", &self.0]));
    }
}

/// Removes the namespaces that processes left behind which were killed.
pub(super) fn remove_left_behind() {
    let Ok(entries) = std::fs::read_dir(NAMESPACES) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| {
            let (process, _) = name.strip_prefix(PREFIX)?.split_once('-')?;
            process.parse::<u32>().ok()
        });
        if let (Some(name), Some(process)) = (name.to_str(), process)
            && !Path::new(&format!("/proc/{process}")).exists()
        {
            drop(ip(&["netns", "del", name]));
        }
    }
}

/// Runs `ip` (iproute2).
fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .map_err(|error| format!("ip (iproute2) does not run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("ip {}: {}", arguments.join(" "), said.trim()))
}
