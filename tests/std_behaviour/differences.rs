//! The records in which the two sides differ on purpose.

/// A difference, under the name that it has in the guide.
pub struct Difference {
    pub name: &'static str,
    pub records: &'static [&'static str],
}

pub const DIFFERENCES: &[Difference] = &[
    Difference { name: "closed stream", records: &["a closed standard input"] },
    Difference {
        name: "NUL bytes",
        records: &[
            "directory with a NUL that is replaced",
            "get_args with a NUL",
            "get_current_dir with a NUL",
            "get_program with a NUL",
        ],
    },
    Difference { name: "text of a hook", records: &["hook without a number"] },
    Difference { name: "kill after a foreign reap", records: &["kill after a foreign reap"] },
    Difference { name: "order of variables", records: &["order of an environment with changes"] },
    Difference { name: "script without a first line", records: &["script without a first line, by fork"] },
    Difference {
        name: "/dev/null",
        records: &[
            "streams that are null, descriptor 0",
            "streams that are null, descriptor 1",
            "streams that are null, descriptor 2",
        ],
    },
];
