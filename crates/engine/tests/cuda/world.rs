//! What processes with a GPU each tell one another.

use std::env;
use std::process::{Child, Command};

use isogloss_engine::cuda::{World, WorldId, gpus, report};
use isogloss_engine::{Device, Gradients, Tensor};

use super::{on_gpu, random};

/// Number and world of a process that a test starts, in its environment: `RANK SIZE ID`, the id in hexadecimal digits.
const PLACE: &str = "ISOGLOSS_TEST_PLACE";

#[test]
#[ignore = "in a process of its own"]
fn a_world_of_one_by_nccl() {
    let Ok(id) = WorldId::new() else { panic!("NCCL is needed: pip install nvidia-nccl-cu12") };
    assert!(report().unwrap().collectives.is_some_and(|version| version >= (2, 13, 0)));
    let world = World::join(&id, 0, 1).unwrap();
    exchange(&world, &[3]);
    world.leave().unwrap();
}

#[test]
#[ignore = "in a process of its own"]
fn worlds_of_several() {
    for size in 2..=gpus().unwrap().min(3) {
        let id = WorldId::new().unwrap();
        let id: String = id.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let process = |rank: usize| {
            let mut command = Command::new(env::current_exe().unwrap());
            command.args(["--ignored", "--exact", "world::a_process_of_several"]);
            command.env(PLACE, format!("{rank} {size} {id}")).env("CUDA_VISIBLE_DEVICES", rank.to_string());
            command.spawn().unwrap()
        };
        let processes: Vec<Child> = (0..size).map(process).collect();
        let ends: Vec<_> = processes.into_iter().map(|mut process| process.wait().unwrap()).collect();
        assert!(ends.iter().all(|end| end.success()), "{ends:?}");
    }
}

/// No test by itself: one of the processes of the test above.
#[test]
#[ignore = "in a process of its own"]
fn a_process_of_several() {
    let Ok(place) = env::var(PLACE) else { return };
    let [rank, size, id] = place.split(' ').collect::<Vec<_>>()[..] else { panic!("{place}") };
    let mut bytes = [0; WorldId::BYTES];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&id[2 * i..2 * i + 2], 16).unwrap();
    }
    let world = World::join(&WorldId::from(bytes), rank.parse().unwrap(), size.parse().unwrap()).unwrap();
    for rows in [[2, 2, 2], [5, 0, 1], [0, 7, 30], [0, 0, 0]] {
        exchange(&world, &rows[..world.size()]);
    }
    world.leave().unwrap();
}

/// Everything that a world can do, with as many rows of each process.
fn exchange(world: &World, rows: &[usize]) {
    let (rank, size) = (world.rank(), world.size());
    let of = |rank: usize| random(rank as u64, &[rows[rank].max(1), 5]);
    let all = world.gather_rows(&on_gpu(&of(rank)), rows).unwrap();
    let expected: Vec<f32> = (0..size).flat_map(|rank| of(rank).data()[..5 * rows[rank]].to_vec()).collect();
    assert_eq!((all.device(), all.shape(), all.data()), (Device::Cuda, &[rows.iter().sum(), 5][..], &expected[..]));

    // Two have gradients, one of which the walk shares with a third; two are reached nowhere or by the first process alone.
    let shapes: [&[usize]; 5] = [&[70_001], &[4, 3], &[4, 3], &[2], &[0]];
    let parameters: Vec<Tensor> = shapes.iter().map(|shape| on_gpu(&random(9, shape))).collect();
    let gradient = |of: usize, rank: usize| random(100 * of as u64 + rank as u64, shapes[of]).detach();
    let mut gradients = Gradients::default();
    parameters[0].backward_from(gradient(0, rank), &mut gradients);
    let shared = on_gpu(&gradient(1, rank)).detach();
    parameters[1].backward_from(shared.clone(), &mut gradients);
    parameters[2].backward_from(shared, &mut gradients);
    if rank == 0 {
        parameters[3].backward_from(gradient(3, rank), &mut gradients);
    }
    world.sum_gradients(&parameters, &mut gradients).unwrap();
    let sum = |of: usize, ranks: usize| {
        let parts: Vec<Tensor> = (0..ranks).map(|rank| gradient(of, rank)).collect();
        let sum = |i: usize| parts.iter().map(|part| part.data()[i]).sum::<f32>();
        (0..parts[0].elements()).map(sum).collect::<Vec<f32>>()
    };
    for (of, expected) in [(0, sum(0, size)), (1, sum(1, size)), (2, sum(1, size)), (3, sum(3, 1))] {
        let Some(got) = gradients.get(&parameters[of]) else {
            assert!(of == 3 && rank > 0, "process {rank}, gradient {of}");
            continue;
        };
        super::close(&format!("gradient {of}"), got.data(), &expected, 1e-6);
    }
    assert!(gradients.get(&parameters[4]).is_none());

    let bytes = world.gather([rank as u8, 200]).unwrap();
    assert_eq!(bytes, (0..size).map(|rank| [rank as u8, 200]).collect::<Vec<_>>());
    assert_eq!(world.of_first([7 + rank as u8]).unwrap(), [7]);
    let sum = world.sum(Tensor::scalar(0.5 + rank as f32)).unwrap();
    assert_eq!(sum.item(), (0..size).map(|rank| 0.5 + rank as f32).sum::<f32>());
}
