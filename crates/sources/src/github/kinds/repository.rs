//! Repositories, organizations, apps, and who may do what in them.

use common::activity::v1::{Activity, Object, Verb};
use common::github::v1 as proto;

use super::objects::{actor, git_ref, organization, person, repository, team, thing};
use super::{activity, first, said, text, thing_verb, words, written};
use crate::kind::Kind;

/// A webhook that is set up is nobody's doing in the repository.
impl Kind for proto::Ping {}

/// What is done to the repository itself has no other target.
pub(super) fn to_repository(
    sender: &Option<proto::UserInfo>,
    about: &Option<proto::RepositoryInfo>,
    verb: Verb,
) -> Vec<Activity> {
    let Some(about) = about else { return Vec::new() };
    let status = match (verb, about.archived, &about.visibility, about.private) {
        (Verb::Delete, ..) => "deleted",
        (_, Some(true), ..) => "archived",
        (.., Some(visibility), _) => visibility,
        (.., None, Some(true)) => "private",
        (.., None, Some(false)) => "public",
        (.., None, None) => "",
    };
    let object = Object { status: status.to_owned(), ..repository(about) };
    vec![activity(sender, &None, verb, object)]
}

impl Kind for proto::Repository {
    times! {
        "created" => "repository.created_at" "repository.updated_at",
        _ => "repository.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        to_repository(&self.sender, &self.repository, thing_verb(said(&self.action)))
    }
}

impl Kind for proto::Public {
    times! {
        _ => "repository.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        to_repository(&self.sender, &self.repository, Verb::Update)
    }
}

impl Kind for proto::Fork {
    times! {
        _ => "forkee.created_at",
    }

    /// The repository is passed on; the fork is where to.
    fn activities(&self) -> Vec<Activity> {
        let mut shared = to_repository(&self.sender, &self.repository, Verb::Share);
        for activity in &mut shared {
            activity.target = self.forkee.as_ref().map(repository);
        }
        shared
    }
}

impl Kind for proto::Star {
    times! {
        _ => "starred_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let verb = if said(&self.action) == "deleted" { Verb::Unfollow } else { Verb::Follow };
        to_repository(&self.sender, &self.repository, verb)
    }
}

impl Kind for proto::Watch {
    /// GitHub sends a star as `star` and, to those that ask for it, as `watch` too, which it never takes back: who counts
    /// followers counts each star once.
    fn activities(&self) -> Vec<Activity> {
        to_repository(&self.sender, &self.repository, Verb::Other)
    }
}

impl Kind for proto::RepositoryDispatch {
    fn activities(&self) -> Vec<Activity> {
        let object = Object { title: said(&self.action).to_owned(), ..thing("repository_dispatch", None) };
        vec![Activity {
            branch: text(self.branch.as_ref()),
            ..activity(&self.sender, &self.repository, Verb::Start, object)
        }]
    }
}

impl Kind for proto::Release {
    key!("release", "release.id");

    times! {
        // A release's created_at is the time of its commit.
        "published" | "released" | "prereleased" => "release.published_at",
        _ => "release.updated_at",
    }

    /// GitHub says created, published and released of one release that is made public: it is posted once.
    fn activities(&self) -> Vec<Activity> {
        let Some(release) = &self.release else { return Vec::new() };
        let status = match (release.draft, release.prerelease) {
            (Some(true), _) => "draft",
            (_, Some(true)) => "prerelease",
            _ => "released",
        };
        let object = Object {
            url: text(release.html_url.as_ref()),
            title: first([&release.name, &release.tag_name]),
            status: status.to_owned(),
            author: release.author.as_ref().map(actor),
            ..thing("release", release.id.as_ref())
        };
        let tag = release.tag_name.as_ref().map(|tag| git_ref(&self.repository, &format!("refs/tags/{tag}")));
        let verb = match said(&self.action) {
            "published" => Verb::Post,
            "edited" => Verb::Edit,
            "deleted" => Verb::Delete,
            _ => Verb::Update,
        };
        vec![Activity {
            instrument: tag,
            text: written(verb, release.body.as_ref()),
            ..activity(&self.sender, &self.repository, verb, object)
        }]
    }
}

impl Kind for proto::Package {
    key!("package", "package.id");

    times! {
        "published" => "package.package_version.created_at" "package.updated_at",
        _ => "package.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(package) = &self.package else { return Vec::new() };
        let version = package.package_version.as_ref();
        let object = Object {
            url: text(package.html_url.as_ref()),
            title: text(package.name.as_ref()),
            author: package.owner.as_ref().map(actor),
            ..thing("package", package.id.as_ref())
        };
        let verb = if said(&self.action) == "published" { Verb::Post } else { Verb::Update };
        let summary = first([version.map_or(&None, |version| &version.summary), &package.description]);
        let published = |version: &proto::PackageVersion| Object {
            url: text(version.html_url.as_ref()),
            title: first([&version.version, &version.name]),
            author: version.author.as_ref().map(actor),
            ..thing("package_version", version.id.as_ref())
        };
        vec![Activity {
            instrument: version.map(published),
            text: words(Some(&summary)),
            ..activity(&self.sender, &self.repository, verb, object)
        }]
    }
}

impl Kind for proto::Member {
    key!("user", "member.id");

    fn activities(&self) -> Vec<Activity> {
        let Some(member) = &self.member else { return Vec::new() };
        vec![activity(&self.sender, &self.repository, Verb::Update, person(member))]
    }
}

impl Kind for proto::Membership {
    key!("user", "member.id");

    fn activities(&self) -> Vec<Activity> {
        let Some(member) = &self.member else { return Vec::new() };
        vec![Activity {
            target: self.team.as_ref().map(team),
            ..activity(&self.sender, &self.repository, Verb::Update, person(member))
        }]
    }
}

/// What is gone is, and of the rest its action says what was done to it.
fn gone(action: &Option<String>) -> String {
    if said(action) == "deleted" { "deleted".to_owned() } else { String::new() }
}

/// Who is invited: an account, or an address for which nobody has one yet.
fn invitee(invitation: &proto::InvitationInfo, user: Option<&proto::UserInfo>) -> Object {
    let title = first([&invitation.login, &invitation.email]);
    user.map_or_else(|| Object { title, ..thing("user", None) }, person)
}

impl Kind for proto::Organization {
    fn activities(&self) -> Vec<Activity> {
        let Some(about) = &self.organization else { return Vec::new() };
        let member = self.membership.as_ref().and_then(|membership| membership.user.as_ref());
        let invited = || self.invitation.as_ref().map(|invitation| invitee(invitation, self.user.as_ref()));
        let (verb, object, target) = match member.map(person).or_else(invited) {
            Some(person) => (Verb::Update, person, Some(organization(about))),
            None => {
                let object = Object { status: gone(&self.action), ..organization(about) };
                (thing_verb(said(&self.action)), object, None)
            }
        };
        vec![Activity { target, ..activity(&self.sender, &self.repository, verb, object) }]
    }
}

impl Kind for proto::Team {
    key!("team", "team.id");

    fn activities(&self) -> Vec<Activity> {
        let Some(about) = &self.team else { return Vec::new() };
        let object = Object { status: gone(&self.action), ..team(about) };
        let target = self.repository.as_ref().map(repository).or_else(|| self.organization.as_ref().map(organization));
        vec![Activity { target, ..activity(&self.sender, &self.repository, thing_verb(said(&self.action)), object) }]
    }
}

impl Kind for proto::TeamAdd {
    key!("team", "team.id");

    fn activities(&self) -> Vec<Activity> {
        let Some(about) = &self.team else { return Vec::new() };
        vec![activity(&self.sender, &self.repository, Verb::Update, team(about))]
    }
}

/// What is done to an app's installation: the account that it is installed in is the target.
fn to_installation(
    sender: &Option<proto::UserInfo>,
    action: &Option<String>,
    verb: Verb,
    installation: &Option<proto::InstallationInfo>,
) -> Vec<Activity> {
    let Some(installation) = installation else { return Vec::new() };
    let status = match said(action) {
        "deleted" => "deleted",
        _ if installation.suspended_at.is_some() => "suspended",
        _ => "active",
    };
    let object = Object {
        url: text(installation.html_url.as_ref()),
        title: text(installation.app_slug.as_ref()),
        status: status.to_owned(),
        ..thing("installation", installation.id.as_ref())
    };
    let target = installation.account.as_ref().map(|account| {
        let kind = actor(account).r#type;
        Object { r#type: if kind.is_empty() { "user".to_owned() } else { kind }, ..person(account) }
    });
    vec![Activity { target, ..activity(sender, &None, verb, object) }]
}

/// The repository, where it is one.
fn only(repositories: &[proto::RepositoryRef]) -> Option<Object> {
    let [one] = repositories else { return None };
    let title = first([&one.full_name, &one.name]);
    Some(Object { title, ..thing("repository", one.id.as_ref()) })
}

impl Kind for proto::Installation {
    times! {
        "created" => "installation.created_at" "installation.updated_at",
        "suspend" => "installation.suspended_at" "installation.updated_at",
        _ => "installation.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let verb = if said(&self.action) == "created" { Verb::OptIn } else { thing_verb(said(&self.action)) };
        to_installation(&self.sender, &self.action, verb, &self.installation)
    }
}

impl Kind for proto::InstallationRepositories {
    times! {
        _ => "installation.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let mut changed = to_installation(&self.sender, &self.action, Verb::Update, &self.installation);
        for activity in &mut changed {
            activity.instrument = only(&self.repositories_added).or_else(|| only(&self.repositories_removed));
        }
        changed
    }
}
