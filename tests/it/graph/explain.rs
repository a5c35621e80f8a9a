//! The text and the picture of a graph.

use super::tool;
use crate::support::LAUNCHERS;
use fdspawn::Graph;

fn word<'fd>(word: &str) -> fdspawn::Command<'fd> {
    tool((LAUNCHERS[0], true), &[word])
}

#[test]
fn line_is_explained() {
    let way = (LAUNCHERS[0], true);
    let graph = Graph::pipeline([
        tool(way, &["du", "-a b"]),
        tool(way, &["sort", "-n", "\"q\"\\"]),
        tool(way, &["head", "a\nb"]),
    ]);
    let text = "stage 0: `du` `-a b`\n\
                stage 1: `sort` `-n` `\"q\"\\\\`\n\
                stage 2: `head` `a\\nb`\n\
                pipe: stage 0 at 1 -> stage 1 at 0\n\
                pipe: stage 1 at 1 -> stage 2 at 0\n\
                order of the launches: 2, 1, 0\n";
    assert_eq!(graph.explain().to_string(), text);
    let picture = "digraph {\n    \
                   node [shape=box]\n    \
                   stage0 [label=\"`du` `-a b`\"]\n    \
                   stage1 [label=\"`sort` `-n` `\\\"q\\\"\\\\\\\\`\"]\n    \
                   stage2 [label=\"`head` `a\\\\nb`\"]\n    \
                   stage0 -> stage1 [taillabel=\"1\", headlabel=\"0\"]\n    \
                   stage1 -> stage2 [taillabel=\"1\", headlabel=\"0\"]\n\
                   }\n";
    assert_eq!(graph.explain().dot(), picture);
    // It starts nothing and opens nothing.
    assert_eq!(
        Graph::pipeline([word("/no/such")]).explain().to_string(),
        "stage 0: `/no/such`\norder of the launches: 0\n"
    );
}

#[test]
fn links_of_every_kind_are_explained() {
    let mut graph = Graph::new();
    let [one, two, three] = ["one", "two", "three"].map(|name| graph.stage(word(name)));
    graph.pipe([one.fd(3), two.stderr()], [three.fd(5)]).socket(one.fd(7), two.fd(8)).argument_from(two, one.stdout());
    graph.reader([two.fd(9), three.stdout()]);
    graph.writer([one.stdin()]);
    graph.outside_socket(three.fd(6));
    let text = "stage 0: `one`\n\
                stage 1: `two` `/dev/fd/63`\n\
                stage 2: `three`\n\
                pipe: stage 0 at 3, stage 1 at 2 -> stage 2 at 5\n\
                socket: stage 0 at 7 <-> stage 1 at 8\n\
                pipe: stage 0 at 1 -> stage 1 at 63\n\
                pipe: stage 1 at 9, stage 2 at 1 -> this process\n\
                pipe: this process -> stage 0 at 0\n\
                socket: stage 2 at 6 <-> this process\n\
                order of the launches: 2, 1, 0\n";
    let explained = graph.explain().to_string();
    assert!(explained.starts_with(text), "{explained}");
    let picture = "digraph {\n    \
                   node [shape=box]\n    \
                   stage0 [label=\"`one`\"]\n    \
                   stage1 [label=\"`two` `/dev/fd/63`\"]\n    \
                   stage2 [label=\"`three`\"]\n    \
                   stage0 -> pipe0 [taillabel=\"3\"]\n    \
                   stage1 -> pipe0 [taillabel=\"2\"]\n    \
                   pipe0 -> stage2 [headlabel=\"5\"]\n    \
                   pipe0 [shape=point]\n    \
                   stage0 -> stage1 [taillabel=\"7\", headlabel=\"8\", dir=both]\n    \
                   stage0 -> stage1 [taillabel=\"1\", headlabel=\"63\"]\n    \
                   stage1 -> outside3 [taillabel=\"9\"]\n    \
                   stage2 -> outside3 [taillabel=\"1\"]\n    \
                   outside3 [shape=plaintext, label=\"this process\"]\n    \
                   outside4 -> stage0 [headlabel=\"0\"]\n    \
                   outside4 [shape=plaintext, label=\"this process\"]\n    \
                   stage2 -> outside5 [taillabel=\"6\", dir=both]\n    \
                   outside5 [shape=plaintext, label=\"this process\"]\n\
                   }\n";
    assert_eq!(graph.explain().dot(), picture);
}

#[test]
fn cycle_is_explained() {
    let mut graph = Graph::new();
    let [one, two, three] = ["one", "two", "three"].map(|name| graph.stage(word(name)));
    graph.pipe([one.stdout()], [two.stdin()]).pipe([two.stdout()], [three.stdin()]).pipe([three.stdout()], [two.fd(5)]);
    let text = "stage 0: `one`\n\
                stage 1: `two`\n\
                stage 2: `three`\n\
                pipe: stage 0 at 1 -> stage 1 at 0\n\
                pipe: stage 1 at 1 -> stage 2 at 0\n\
                pipe: stage 2 at 1 -> stage 1 at 5\n\
                order of the launches: 2, 1, 0\n\
                stage 1 is in a cycle: it can wait for itself\n";
    assert_eq!(graph.explain().to_string(), text);
}

#[test]
fn branches_that_come_together_are_explained() {
    let mut graph = Graph::new();
    let [fork, left, right, join] = ["fork", "left", "right", "join"].map(|name| graph.stage(word(name)));
    graph.pipe([fork.stdout()], [left.stdin()]).pipe([fork.stderr()], [right.stdin()]);
    graph.pipe([left.stdout()], [join.stdin()]).pipe([right.stdout()], [join.fd(3)]);
    let text = graph.explain().to_string();
    let (_, end) = text.split_once("order of the launches: 3, 1, 2, 0\n").unwrap_or_else(|| panic!("{text}"));
    assert!(end.starts_with("the outputs of stage 0 come together in stage 3: "), "{text}");
    assert_eq!(end.lines().count(), 1);
}
