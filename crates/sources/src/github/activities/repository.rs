//! Repositories, organizations, apps, and who may do what in them.

use common::activity::v1::{Activity, Object, Verb};
use common::github::v1 as proto;

use super::{Normalise, activity, actor, person, repository, team, text, thing_verb, words, written};

impl Normalise for proto::Ping {
    /// A webhook that is set up is nobody's doing in the repository.
    fn activities(&self) -> Vec<Activity> {
        Vec::new()
    }
}

/// What is done to the repository itself has no other target.
fn to_repository(event: &impl super::Common, verb: Verb, status: &str) -> Vec<Activity> {
    let Some(about) = event.repository() else { return Vec::new() };
    let object = Object { status: status.to_owned(), ..repository(about) };
    vec![Activity { target: None, ..activity(event, verb, object) }]
}

impl Normalise for proto::Repository {
    fn activities(&self) -> Vec<Activity> {
        let status = match self.action() {
            action @ ("archived" | "unarchived" | "privatized" | "publicized" | "renamed" | "transferred"
            | "deleted") => action,
            _ => "",
        };
        to_repository(self, thing_verb(self.action()), status)
    }
}

impl Normalise for proto::Public {
    fn activities(&self) -> Vec<Activity> {
        to_repository(self, Verb::Update, "publicized")
    }
}

impl Normalise for proto::Fork {
    /// The repository is passed on; the fork is where to.
    fn activities(&self) -> Vec<Activity> {
        let mut shared = to_repository(self, Verb::Share, "");
        for activity in &mut shared {
            activity.target = self.forkee.as_ref().map(repository);
        }
        shared
    }
}

impl Normalise for proto::Star {
    fn activities(&self) -> Vec<Activity> {
        let verb = if self.action() == "deleted" { Verb::Unfollow } else { Verb::Follow };
        to_repository(self, verb, "")
    }
}

impl Normalise for proto::Watch {
    /// GitHub sends a star as `star` and, to those that ask for it, as `watch` too: two events, two activities.
    fn activities(&self) -> Vec<Activity> {
        to_repository(self, Verb::Follow, "")
    }
}

impl Normalise for proto::RepositoryDispatch {
    fn activities(&self) -> Vec<Activity> {
        let object =
            Object { r#type: "repository_dispatch".to_owned(), title: self.action().to_owned(), ..Object::default() };
        vec![activity(self, Verb::Start, object)]
    }
}

impl Normalise for proto::Release {
    /// GitHub says created, published and released of one release that is made public: it is posted once.
    fn activities(&self) -> Vec<Activity> {
        let Some(release) = &self.release else { return Vec::new() };
        let status = match (release.draft, release.prerelease) {
            (Some(true), _) => "draft",
            (_, Some(true)) => "prerelease",
            _ => "released",
        };
        let object = Object {
            r#type: "release".to_owned(),
            id: text(release.id.as_ref()),
            url: text(release.html_url.as_ref()),
            title: text(release.name.as_ref().filter(|name| !name.is_empty()).or(release.tag_name.as_ref())),
            status: status.to_owned(),
            author: release.author.as_ref().map(actor),
        };
        let verb = match self.action() {
            "published" => Verb::Post,
            "edited" => Verb::Edit,
            "deleted" => Verb::Delete,
            _ => Verb::Update,
        };
        vec![Activity { text: written(verb, release.body.as_ref()), ..activity(self, verb, object) }]
    }
}

impl Normalise for proto::Package {
    fn activities(&self) -> Vec<Activity> {
        let Some(package) = &self.package else { return Vec::new() };
        let version = package.package_version.as_ref();
        let object = Object {
            r#type: "package".to_owned(),
            id: text(package.id.as_ref()),
            url: text(package.html_url.as_ref()),
            title: text(package.name.as_ref()),
            status: text(version.and_then(|version| version.version.as_ref())),
            author: package.owner.as_ref().map(actor),
        };
        let verb = if self.action() == "published" { Verb::Post } else { Verb::Update };
        let summary = version.and_then(|version| version.summary.as_ref()).or(package.description.as_ref());
        vec![Activity { text: words(summary), ..activity(self, verb, object) }]
    }
}

impl Normalise for proto::Member {
    fn activities(&self) -> Vec<Activity> {
        let Some(member) = &self.member else { return Vec::new() };
        vec![activity(self, Verb::Update, person(member, self.action()))]
    }
}

impl Normalise for proto::Membership {
    fn activities(&self) -> Vec<Activity> {
        let Some(member) = &self.member else { return Vec::new() };
        let object = person(member, self.action());
        vec![Activity { target: self.team.as_ref().map(team), ..activity(self, Verb::Update, object) }]
    }
}

fn organization(organization: &proto::OrganizationInfo) -> Object {
    Object {
        r#type: "organization".to_owned(),
        id: text(organization.id.as_ref()),
        url: text(organization.html_url.as_ref()),
        title: text(organization.login.as_ref()),
        ..Object::default()
    }
}

impl Normalise for proto::Organization {
    fn activities(&self) -> Vec<Activity> {
        let Some(about) = &self.organization else { return Vec::new() };
        let member = self.membership.as_ref().and_then(|membership| membership.user.as_ref());
        let (verb, object, target) = match member {
            Some(member) => (Verb::Update, person(member, self.action()), Some(organization(about))),
            None => {
                let object = Object { status: self.action().to_owned(), ..organization(about) };
                (thing_verb(self.action()), object, None)
            }
        };
        vec![Activity { target, ..activity(self, verb, object) }]
    }
}

impl Normalise for proto::Team {
    fn activities(&self) -> Vec<Activity> {
        let Some(about) = &self.team else { return Vec::new() };
        let object = Object { status: self.action().to_owned(), ..team(about) };
        let target = self.repository.as_ref().map(repository).or_else(|| self.organization.as_ref().map(organization));
        vec![Activity { target, ..activity(self, thing_verb(self.action()), object) }]
    }
}

impl Normalise for proto::TeamAdd {
    fn activities(&self) -> Vec<Activity> {
        let Some(about) = &self.team else { return Vec::new() };
        vec![activity(self, Verb::Update, team(about))]
    }
}

/// What is done to an app's installation: the account that it is installed in is the target.
fn to_installation(
    event: &impl super::Common,
    verb: Verb,
    installation: Option<&proto::InstallationInfo>,
) -> Vec<Activity> {
    let Some(installation) = installation else { return Vec::new() };
    let object = Object {
        r#type: "installation".to_owned(),
        id: text(installation.id.as_ref()),
        url: text(installation.html_url.as_ref()),
        title: text(installation.app_slug.as_ref()),
        status: event.action().to_owned(),
        author: None,
    };
    let target = installation.account.as_ref().map(|account| {
        let kind = actor(account).r#type;
        Object { r#type: if kind.is_empty() { "user".to_owned() } else { kind }, ..person(account, "") }
    });
    vec![Activity { target, ..activity(event, verb, object) }]
}

impl Normalise for proto::Installation {
    fn activities(&self) -> Vec<Activity> {
        let verb = if self.action() == "created" { Verb::OptIn } else { thing_verb(self.action()) };
        to_installation(self, verb, self.installation.as_ref())
    }
}

impl Normalise for proto::InstallationRepositories {
    fn activities(&self) -> Vec<Activity> {
        to_installation(self, Verb::Update, self.installation.as_ref())
    }
}
