//! Roll-outs and kills that no sender notices.

use std::time::Duration;

use common::registration::v1::GetRequest;
use common::registration::v1::registration_service_client::RegistrationServiceClient;
use service::Channel;
use tokio::time::sleep;

use crate::pods::{Killed, Pods};
use crate::traffic::{Sent, Traffic, failures, summary};
use crate::world::{Http, World, delivery, http};

/// What the doors are sent, and what processing is asked, a second.
const DELIVERIES: u32 = 200;
const CALLS: u32 = 100;
/// Traffic before and after.
const A_WHILE: Duration = Duration::from_secs(3);
/// What the proxy may take, once a pod is gone, to see that its connections are closed: until then it sends more there.
/// Far less than the second after which the sender must not notice anything any more.
const NOTICED: Duration = Duration::from_millis(100);

fn deliveries(world: &World) -> Traffic {
    let (client, to, host): (Http, _, _) = (http(), world.proxy.plain, world.host("streaming").to_owned());
    Traffic::start(DELIVERIES, move |number| {
        let answer = client.request(delivery(to, &host, number));
        async move {
            match answer.await {
                Ok(answer) if answer.status().is_success() => Ok(()),
                Ok(answer) => Err(answer.status().to_string()),
                Err(error) => Err(format!("{error:?}")),
            }
        }
    })
}

fn calls(channel: &Channel) -> Traffic {
    let client = RegistrationServiceClient::new(channel.clone());
    Traffic::start(CALLS, move |_| {
        let mut client = client.clone();
        async move {
            let answer = client.get(GetRequest { id: "endpoint/mine".into() }).await;
            answer.map(drop).map_err(|status| format!("{status:?}"))
        }
    })
}

/// Whatever failed was on its way while the pod was killed.
fn only_those_on_their_way(sent: &[Sent], killed: &Killed) {
    let deaf = killed.gone + NOTICED;
    let on_their_way = sent.iter().filter(|one| one.began <= deaf && one.ended >= killed.asked).count();
    let failed = failures(sent);
    println!("  {} failed of {on_their_way} in {:?}", failed.len(), deaf - killed.asked);
    for one in failed {
        assert!(one.ended >= killed.asked, "{:?} before the kill: {one:?}", killed.asked - one.ended);
        assert!(one.began <= deaf, "{:?} after the pod was gone: {one:?}", one.began - killed.gone);
    }
    assert!(sent.iter().any(|one| one.began > deaf), "nothing was sent after it");
}

/// Traffic while pods are replaced, and again while one is killed: all that was sent, in the one and in the other.
async fn rolled_then_killed(what: &str, pods: &mut Pods, traffic: impl Fn() -> Traffic) -> [Vec<Sent>; 2] {
    let running = traffic();
    sleep(A_WHILE).await;
    pods.roll().await;
    sleep(A_WHILE).await;
    let rolled = running.stop().await;
    println!("{}", summary(&format!("a roll-out of {what}"), &rolled));
    assert!(failures(&rolled).is_empty(), "{:?}", failures(&rolled));

    let running = traffic();
    sleep(A_WHILE).await;
    let killed = pods.kill_one().await;
    sleep(A_WHILE).await;
    let after = running.stop().await;
    println!("{}", summary(&format!("kill -9 of {what}"), &after));
    only_those_on_their_way(&after, &killed);
    [rolled, after]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_sender_notices_a_roll_out_of_the_door_and_few_a_kill() {
    let world = World::start("doors");
    let processing = world.processings(1).await;
    let mut doors = world.doors(2).await;
    world.register().await;

    let sent = rolled_then_killed("streaming", &mut doors, || deliveries(&world)).await;

    // What was answered is there, also what was answered by those that are gone.
    let there = world.on_the_log().await;
    for sent in sent {
        let acknowledged = sent.iter().filter(|one| one.failure.is_none());
        let missing: Vec<_> = acknowledged.map(|one| one.number).filter(|number| !there.contains(number)).collect();
        assert!(missing.is_empty(), "acknowledged and not on the log: {missing:?}");
    }
    drop((processing, doors));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_caller_notices_a_roll_out_of_processing_and_few_a_kill() {
    let world = World::start("calls");
    let mut processings = world.processings(2).await;
    world.register().await;
    // One connection for all of it, as programs have it.
    let channel = world.grpc();
    rolled_then_killed("processing", &mut processings, || calls(&channel)).await;
}
