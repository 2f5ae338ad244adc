//! Layers of settings: files, then environment variables, then flags; later ones win.

use std::path::{Path, PathBuf};

use crate::field::Section;
use crate::parse::{MAX_DEPTH, parse};
use crate::problem::{Draft, Drafts, Fault, Problems, Wrong};
use crate::reader::{self, quoted};
use crate::source::{Layer, Origin, Place, Source, Sources};
use crate::syntax::likely_secrets;
use crate::tree::{Key, Node, Value};
use crate::{show, unknown, version};

/// Environment variables that begin so are settings: `SILVERLODE__GATEWAY__LISTEN` is
/// `gateway.listen`.
pub const ENV_PREFIX: &str = "SILVERLODE__";

/// Where the overlay of an environment lies: `silverlode.production.yaml` beside
/// `silverlode.yaml`.
pub fn overlay_path(file: &Path, environment: &str) -> PathBuf {
    match file.extension() {
        Some(extension) => {
            file.with_extension(format!("{environment}.{}", extension.to_string_lossy()))
        }
        None => file.with_extension(environment),
    }
}

/// The texts from which settings are loaded. Reading files and the environment is the caller's.
///
/// `Debug` shows names only.
#[derive(Clone, Default)]
pub struct Layers {
    files: Vec<(String, Vec<u8>)>,
    variables: Vec<(String, String)>,
    flags: Vec<(String, String, String)>,
}

impl Layers {
    /// No layers: every setting has its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lays a file over those given before. It is enough to read
    /// [`MAX_BYTES`](crate::MAX_BYTES)` + 1` bytes: what is longer is refused.
    #[must_use]
    pub fn file(mut self, name: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.into(), content.into()));
        self
    }

    /// Lays the variables that begin with [`ENV_PREFIX`] over all files; the others are ignored.
    /// Two underscores divide the keys of a path, letters are lower-cased.
    #[must_use]
    pub fn environment(mut self, pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let ours = pairs.into_iter().filter(|(name, _)| name.starts_with(ENV_PREFIX));
        self.variables.extend(ours);
        self.variables.sort();
        self
    }

    /// Lays a flag over all: its name with the dashes, the dotted key it sets, the text given.
    #[must_use]
    pub fn flag(
        mut self,
        name: impl Into<String>,
        key: impl Into<String>,
        text: impl Into<String>,
    ) -> Self {
        self.flags.push((name.into(), key.into(), text.into()));
        self
    }
}

impl std::fmt::Debug for Layers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let files = self.files.iter().map(|(name, _)| name);
        let variables = self.variables.iter().map(|(name, _)| name);
        let flags = self.flags.iter().map(|(name, _, _)| name);
        f.debug_list().entries(files.chain(variables).chain(flags)).finish()
    }
}

/// Parses all layers and lays them over one another.
///
/// # Errors
/// Files that are no YAML of the accepted kind, with every such file named. What leaves a tree (a
/// key that stands twice) waits for [`Loaded::read`], to be told with the rest.
pub fn load(layers: Layers) -> Result<Loaded, Problems> {
    let mut loading = Loading::default();
    for (name, content) in layers.files {
        loading.file(name, content);
    }
    loading.variables(layers.variables);
    for (name, key, text) in layers.flags {
        let parts: Vec<&str> = key.split('.').collect();
        loading.value(Layer::Flag, name, text, &parts);
    }
    loading.finish()
}

/// The settings of all layers, not yet read into sections.
#[derive(Clone, Debug)]
pub struct Loaded {
    sources: Sources,
    /// One tree a source, since a mistake that another layer covers is a mistake all the same.
    trees: Vec<Node>,
    merged: Node,
    drafts: Drafts,
}

impl Loaded {
    /// The merged tree, without defaults.
    pub fn tree(&self) -> &Node {
        &self.merged
    }

    /// The sources, weakest first.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Which layer gave the value at a path such as `gateway.listen` or `nodes[0].url`; the
    /// default's when none did.
    pub fn origin_of(&self, key: &str) -> Origin {
        self.merged.at(key).map_or_else(Origin::default, |node| self.sources.origin(node.place))
    }

    /// Reads everything: the section is the root of the file.
    ///
    /// # Errors
    /// All that is wrong in any layer.
    pub fn read<S: Section>(&self) -> Result<S, Problems> {
        self.read_with(|_: &S, _| {})
    }

    /// Reads everything and then lets the caller check what no single setting can know, such as
    /// two values that must be in order. The check runs on settings that are right one by one.
    ///
    /// # Errors
    /// All that is wrong in any layer, or all that the check refused.
    pub fn read_with<S: Section>(
        &self,
        check: impl FnOnce(&S, &mut Check<'_>),
    ) -> Result<S, Problems> {
        let mut drafts = self.drafts.clone();
        let fields = S::fields();
        for tree in &self.trees {
            unknown::find(tree, &fields, &self.sources, &mut drafts);
        }
        let read: Option<S> = reader::read(&self.merged, &self.sources, &mut drafts);
        if let (Some(section), true) = (&read, drafts.list.is_empty()) {
            check(section, &mut Check { loaded: self, drafts: &mut drafts });
        }
        match read {
            Some(section) if drafts.list.is_empty() => Ok(section),
            None if drafts.list.is_empty() => {
                // A section written by hand that answers `None` without saying why.
                let draft = Draft::new(Fault::WrongValue, None, "a section could not be read");
                drafts.list.push(draft);
                Err(drafts.into_problems(&self.sources))
            }
            _ => Err(drafts.into_problems(&self.sources)),
        }
    }

    /// The merged settings as YAML with every default, secrets masked; with `origins`, each value
    /// has the layer it came from as a comment. Unknown keys are left out.
    pub fn show<S: Section>(&self, origins: bool) -> String {
        show::show::<S>(&self.merged, &self.sources, origins)
    }
}

/// Takes what a check across settings refuses.
#[derive(Debug)]
pub struct Check<'a> {
    loaded: &'a Loaded,
    drafts: &'a mut Drafts,
}

impl Check<'_> {
    /// The layer that gives the value at a dotted path; `None` where nobody gives one.
    #[must_use]
    pub fn layer(&self, key: &str) -> Option<Layer> {
        let place = self.loaded.merged.at(key)?.place;
        Some(self.loaded.sources.layer(place))
    }

    /// Refuses the value at a dotted path; the reason is printed as it is, at the value's place.
    pub fn refuse(&mut self, key: &str, wrong: Wrong) {
        let place = self.loaded.merged.at(key).map(|node| node.place);
        let draft = Draft::new(wrong.fault, place, wrong.why).key(key);
        self.drafts.list.push(Draft { hint: wrong.hint, ..draft });
    }
}

/// Reads one section from one text: for tests, and for tools that look at a piece.
///
/// # Errors
/// All that is wrong in it.
pub fn read_text<S: Section>(name: &str, text: &str) -> Result<S, Problems> {
    load(Layers::new().file(name, text))?.read()
}

#[derive(Default)]
struct Loading {
    sources: Sources,
    trees: Vec<Node>,
    drafts: Drafts,
    /// Whether a source left no tree, so that reading on would only mislead.
    broken: bool,
}

impl Loading {
    fn file(&mut self, name: String, content: Vec<u8>) {
        let (text, broken_at) = decoded(content);
        let source = Source::new(Layer::File, name, text);
        let id = self.sources.add(source.clone());
        let tree = match broken_at {
            Some(at) => Draft::new(
                Fault::Syntax,
                Some(Place::new(id, at..at + 1)),
                format!("the file is not UTF-8 from byte {at} on"),
            )
            .allowed("text in UTF-8")
            .hint("save the file as UTF-8")
            .refused(),
            None => parse(&source, id, &mut self.drafts).and_then(|tree| match tree.value {
                Value::Map(_) | Value::Null => Ok(tree),
                _ => not_a_map(&tree).refused(),
            }),
        };
        let tree = tree.and_then(|tree| version::too_new(&tree).map_or(Ok(tree), Draft::refused));
        match tree {
            Ok(tree) => self.trees.push(tree),
            Err(draft) => {
                self.broken = true;
                self.drafts.masked.extend(likely_secrets(&source, id));
                self.drafts.list.push(*draft);
            }
        }
    }

    fn variables(&mut self, variables: Vec<(String, String)>) {
        for (name, text) in variables {
            let lower = name.trim_start_matches(ENV_PREFIX).to_ascii_lowercase();
            let parts: Vec<&str> = lower.split("__").collect();
            self.value(Layer::Env, name, text, &parts);
        }
    }

    /// One variable or flag: a tree with a single leaf.
    fn value(&mut self, layer: Layer, name: String, text: String, parts: &[&str]) {
        let source = Source::new(layer, name, text);
        let id = self.sources.add(source.clone());
        let place = Place::new(id, 0..source.text().len());
        if parts.len() > MAX_DEPTH || parts.iter().any(|part| part.is_empty()) {
            self.drafts.masked.push(place);
            let found = format!("the name {} leads to no setting", quoted(source.name()));
            self.drafts.list.push(
                Draft::new(Fault::UnknownKey, Some(place), found)
                    .allowed(format!("{ENV_PREFIX}SECTION__SETTING")),
            );
            return;
        }
        let leaf = Node::scalar(source.text(), false, place);
        let tree = parts.iter().rev().fold(leaf, |node, part| {
            let key = Key { name: (*part).to_owned(), place };
            Node { value: Value::Map(vec![(key, node)]), place }
        });
        self.trees.push(tree);
    }

    fn finish(self) -> Result<Loaded, Problems> {
        let Self { sources, trees, drafts, broken } = self;
        if broken {
            return Err(drafts.into_problems(&sources));
        }
        let mut merged = Node::null(Place::new(0, 0..0));
        for tree in &trees {
            let fold_case = sources.layer(tree.place) == Layer::Env;
            merged = merged.overlaid(tree.clone(), fold_case);
        }
        Ok(Loaded { sources, trees, merged, drafts })
    }
}

/// The text without a byte order mark, and where it stops being UTF-8.
fn decoded(content: Vec<u8>) -> (String, Option<usize>) {
    let content = match content.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => rest.to_vec(),
        None => content,
    };
    match String::from_utf8(content) {
        Ok(text) => (text, None),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            (String::from_utf8_lossy(error.as_bytes()).into_owned(), Some(at))
        }
    }
}

fn not_a_map(tree: &Node) -> Draft {
    let (found, hint) = match &tree.value {
        Value::Scalar(scalar) => {
            (quoted(&scalar.text), "write a space behind the colon of each key")
        }
        _ => ("a list".to_owned(), "write the key of the list and a colon above it"),
    };
    Draft::new(Fault::WrongShape, Some(tree.place), format!("found {found}"))
        .allowed("settings, each as key: value")
        .hint(hint)
}
