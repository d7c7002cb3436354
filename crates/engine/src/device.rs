//! Where tensors live and operations run.

use std::fmt;
use std::str::FromStr;

use crate::cuda::{self, CudaError};

/// Where a tensor's elements live. An operation runs where its inputs are: on the GPU if one of them is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Device {
    /// Main memory.
    #[default]
    Cpu,
    /// The memory of the first NVIDIA GPU that the driver shows (`CUDA_VISIBLE_DEVICES` says which that is).
    Cuda,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Device::Cpu => "cpu",
            Device::Cuda => "cuda",
        })
    }
}

/// What can be asked for: a device, or the best there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceChoice {
    /// The GPU where one can be used, else main memory.
    Auto,
    /// This one.
    Of(Device),
}

impl Default for DeviceChoice {
    /// Main memory.
    fn default() -> DeviceChoice {
        DeviceChoice::Of(Device::Cpu)
    }
}

impl DeviceChoice {
    /// The device.
    ///
    /// # Errors
    /// A GPU is asked for and cannot be used.
    pub fn open(self) -> Result<Device, CudaError> {
        match self {
            DeviceChoice::Of(Device::Cpu) => Ok(Device::Cpu),
            DeviceChoice::Of(Device::Cuda) => cuda::gpu().map(|_| Device::Cuda),
            DeviceChoice::Auto => Ok(cuda::gpu().map_or(Device::Cpu, |_| Device::Cuda)),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceChoice::Auto => f.write_str("auto"),
            DeviceChoice::Of(device) => device.fmt(f),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(name: &str) -> Result<DeviceChoice, String> {
        let all = [DeviceChoice::Auto, DeviceChoice::Of(Device::Cpu), DeviceChoice::Of(Device::Cuda)];
        let found = all.into_iter().find(|choice| choice.to_string() == name);
        found.ok_or_else(|| format!("unknown device \"{name}\"; known: auto, cpu, cuda"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in ["auto", "cpu", "cuda"] {
            assert_eq!(name.parse::<DeviceChoice>().unwrap().to_string(), name);
        }
        assert_eq!("gpu".parse::<DeviceChoice>(), Err("unknown device \"gpu\"; known: auto, cpu, cuda".into()));
        assert_eq!(DeviceChoice::default().open().unwrap(), Device::Cpu);
    }
}
