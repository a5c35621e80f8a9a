//! A model of a descriptor table. Tests compare the compiler's steps and real children with it.

use super::data::{Plan, Rest};
use super::step::Step;
use std::collections::BTreeMap;
use std::os::fd::RawFd;

/// One open descriptor of a [`Table`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Open {
    /// The description that it refers to. Duplicates have the same number.
    pub description: u64,
    /// Whether it closes at exec.
    pub close_on_exec: bool,
}

/// A model of a descriptor table.
///
/// ```
/// use fdspawn::plan::{Mapping, Plan, Open, Table};
///
/// let parent: Table = [0, 1, 2, 7]
///     .map(|number| (number, Open { description: number as u64, close_on_exec: false }))
///     .into_iter()
///     .collect();
/// let plan = Plan::new([Mapping::new(1, 7)]);
///
/// let mut child = parent.clone();
/// child.run(&plan.compile()?)?;
/// child.exec();
/// assert_eq!(child, parent.after(&plan));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Table(BTreeMap<RawFd, Open>);

/// The error of a step that reads a number which is not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotOpen(pub Step);

impl std::fmt::Display for NotOpen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot {}: the descriptor is not open", self.0)
    }
}

impl std::error::Error for NotOpen {}

impl Table {
    /// The descriptor at `number`, if it is open.
    pub fn get(&self, number: RawFd) -> Option<Open> {
        self.0.get(&number).copied()
    }

    /// The open descriptors, by number.
    pub fn iter(&self) -> impl Iterator<Item = (RawFd, Open)> {
        self.0.iter().map(|(&number, &open)| (number, open))
    }

    /// Does the steps that change a descriptor table, and ignores the others.
    ///
    /// # Errors
    ///
    /// [`NotOpen`] if a step would fail with `EBADF`. The table is then as the steps before it have left it.
    pub fn run(&mut self, steps: &[Step]) -> Result<(), NotOpen> {
        for &step in steps {
            match step {
                Step::UnshareFiles { first } | Step::CloseFrom { first } => {
                    self.0.split_off(&first);
                }
                Step::Close { first, last } => self.0.retain(|&number, _| number < first || number > last),
                Step::SetCloexec { first, last } => {
                    self.0.range_mut(first..=last).for_each(|(_, open)| open.close_on_exec = true);
                }
                Step::ClearCloexec { fd } => {
                    self.0.get_mut(&fd).ok_or(NotOpen(step))?.close_on_exec = false;
                }
                Step::Dup2 { source, target, close_on_exec } => {
                    let open = self.get(source).ok_or(NotOpen(step))?;
                    self.0.insert(target, Open { close_on_exec, ..open });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Closes the descriptors that have close-on-exec set, as `execve(2)` does.
    pub fn exec(&mut self) {
        self.0.retain(|_, open| !open.close_on_exec);
    }

    /// The table that a program has to start with, computed without steps. Each target refers to the description of its
    /// source in this table. With [`Rest::Close`] nothing else is open; with [`Rest::Inherit`] the rest that exec leaves open.
    pub fn after(&self, plan: &Plan) -> Self {
        let mut table = match plan.rest {
            Rest::Close => Self::default(),
            Rest::Inherit => {
                let mut rest = self.clone();
                rest.exec();
                for number in plan.mappings.iter().map(|each| each.source).chain(plan.closed.iter().copied()) {
                    rest.0.remove(&number);
                }
                rest
            }
        };
        for each in &plan.mappings {
            if let Some(open) = self.get(each.source) {
                table.0.insert(each.target, Open { close_on_exec: false, ..open });
            }
        }
        table
    }
}

impl FromIterator<(RawFd, Open)> for Table {
    fn from_iter<I: IntoIterator<Item = (RawFd, Open)>>(descriptors: I) -> Self {
        Self(descriptors.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{InternalFd, Mapping, Role, Start};

    /// A parent with 0 to 5, the odd ones close-on-exec, and others that no plan here names.
    fn parent() -> Table {
        (0..6)
            .chain([8, 63, 64, 1000])
            .map(|number| (number, Open { description: 100 + number as u64, close_on_exec: number % 2 == 1 }))
            .collect()
    }

    /// Every map of the targets 0 to 4 to nothing or to one of the sources 0 to 5.
    fn every_map() -> impl Iterator<Item = Vec<Mapping>> {
        (0..7_usize.pow(5)).map(|code| {
            (0..5)
                .filter_map(|target: RawFd| {
                    let source = (code / 7_usize.pow(target as u32) % 7) as RawFd - 1;
                    (source >= 0).then(|| match source == target {
                        true => Mapping::kept(target, source % 2 == 1),
                        false => Mapping::new(target, source),
                    })
                })
                .collect()
        })
    }

    fn agrees(plan: &Plan) {
        let steps = plan.compile().unwrap_or_else(|refusal| panic!("{plan:?}: {refusal:?}"));
        let mut child = parent();
        if let Some(scratch) = plan.scratch {
            child.0.insert(scratch, Open { description: 0, close_on_exec: true });
        }
        for each in &plan.internal_fds {
            child.0.insert(each.fd, Open { description: 1, close_on_exec: true });
        }
        child.run(&steps).unwrap_or_else(|error| panic!("{plan:?}: {error}"));
        child.exec();
        assert_eq!(child, parent().after(plan), "{plan:?}: {steps:?}");
    }

    #[test]
    fn all_16807_maps_agree_with_the_model_for_each_start_of_the_table() {
        let mut count = 0;
        for mappings in every_map() {
            for start in [Start::Copied, Start::Shared] {
                agrees(&Plan { start, ..Plan::new(mappings.clone()) });
            }
            let internal_fds = [6, 70].map(|fd| InternalFd { fd, role: Role::Errpipe }).to_vec();
            agrees(&Plan { internal_fds: internal_fds.clone(), ..Plan::new(mappings.clone()) });
            agrees(&Plan {
                rest: Rest::Inherit,
                scratch: Some(9),
                closed: vec![8],
                internal_fds,
                ..Plan::new(mappings)
            });
            count += 1;
        }
        assert_eq!(count, 16_807);
    }

    #[test]
    fn all_16807_maps_take_no_more_duplicates_than_targets_and_cycles() {
        for mappings in every_map() {
            let plan = Plan::new(mappings.clone());
            let steps = plan.compile().unwrap();
            let count = steps.iter().filter(|step| matches!(step, Step::Dup2 { .. })).count();
            let moved = mappings.iter().filter(|each| each.target != each.source).count();
            let source_of = |number| mappings.iter().find(|each| each.target == number).map(|each| each.source);
            // A cycle is found by its smallest member: follow the sources until they come back.
            let cycles = mappings
                .iter()
                .filter(|each| each.source != each.target)
                .filter(|each| {
                    let mut number = each.source;
                    let mut members = vec![each.target];
                    while number != each.target && !members.contains(&number) {
                        members.push(number);
                        match source_of(number) {
                            Some(next) => number = next,
                            None => return false,
                        }
                    }
                    let copied = mappings
                        .iter()
                        .any(|other| members.contains(&other.source) && !members.contains(&other.target));
                    number == each.target && members.iter().min() == Some(&each.target) && !copied
                })
                .count();
            assert_eq!(count, moved + cycles, "{mappings:?}: {steps:?}");
        }
    }

    #[test]
    fn step_that_reads_a_closed_number_is_an_error() {
        let step = Step::Dup2 { source: 7, target: 1, close_on_exec: false };
        assert_eq!(parent().run(&[step]), Err(NotOpen(step)));
    }
}
