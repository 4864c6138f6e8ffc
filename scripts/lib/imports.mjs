/** What source files import, and which of it is against a set of rules. */
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { parseAst } from 'rolldown/parseAst';

/** Every import of a file, whether static, dynamic, of types alone or by `require` or `resolve`, and every re-export. */
export function importsOf(text, file) {
  const found = [];
  const visit = (node) => {
    if (Array.isArray(node)) node.forEach(visit);
    else if (node !== null && typeof node === 'object') {
      const source = sourceOf(node);
      if (source) {
        const line = text.slice(0, node.start).split('\n').length;
        found.push({ specifier: textOf(source), line });
      }
      for (const value of Object.values(node)) if (typeof value === 'object') visit(value);
    }
  };
  visit(parseAst(text, { lang: file.endsWith('x') ? 'tsx' : 'ts' }).body);
  return found;
}

const WITH_SOURCE = new Set([
  'ImportDeclaration',
  'ExportNamedDeclaration',
  'ExportAllDeclaration',
  'ImportExpression',
  'TSImportType',
  'TSExternalModuleReference',
]);

/** The expression that names what a piece of syntax imports. */
function sourceOf(node) {
  if (WITH_SOURCE.has(node.type)) return node.source ?? node.expression;
  if (node.type !== 'CallExpression') return undefined;
  const { type, name, object, property } = node.callee;
  const isRequire = type === 'Identifier' && name === 'require';
  const isResolve =
    type === 'MemberExpression' &&
    property.name === 'resolve' &&
    (object.name === 'require' || object.type === 'MetaProperty' || object.callee?.name === 'createRequire');
  return isRequire || isResolve ? node.arguments[0] : undefined;
}

function textOf(source) {
  if (source.type === 'Literal') return source.value;
  if (source.type === 'TemplateLiteral' && source.expressions.length === 0)
    return source.quasis[0].value.cooked;
  return undefined;
}

/** True for tests, and for what they share. */
export function isTest(file) {
  return /\.test\.tsx?$/.test(file) || path.posix.basename(file).startsWith('test-');
}

/** Checks files, given by path within src/, and returns one line for each violation of the rules. */
export function checkImports(sources, rules) {
  const files = [...sources.keys()].filter((file) => !isTest(file)).sort();
  const graph = new Map(files.map((file) => [file, resolved(file, sources)]));
  const problems = [];
  for (const [file, imports] of graph) {
    const room = roomOf(file, rules);
    if (room === undefined) {
      problems.push(
        `src/${file}: the folder of this file is not in the table of scripts/check-imports.mjs; add it there`,
      );
      continue;
    }
    for (const { line, ...what } of imports) {
      const problem = judge(room, what, rules);
      if (problem) problems.push(`src/${file}:${line}: ${problem}`);
    }
  }
  return [
    ...problems,
    ...circles(graph),
    ...rules.entries.flatMap((entry) => nodeBelow(entry, graph, rules)),
  ];
}

/** A file's imports; those of src/ with the file that they lead to. */
function resolved(file, sources) {
  return importsOf(sources.get(file), file).map(({ specifier, line }) => {
    const own = specifier?.startsWith('#osler/') ? specifier.slice('#osler/'.length) : undefined;
    const target =
      own ??
      (specifier?.startsWith('.')
        ? path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier))
        : undefined);
    if (target === undefined) return { specifier, line };
    const to = ['.ts', '.tsx', '.d.ts']
      .map((ending) => target.replace(/\.js$/, ending))
      .find((name) => sources.has(name));
    return { specifier, line, target, to };
  });
}

function roomOf(file, { rooms }) {
  const names = Object.keys(rooms).filter((name) => file === name || file.startsWith(`${name}/`));
  return names.sort((a, b) => b.length - a.length)[0];
}

function judge(room, { specifier, target, to }, rules) {
  const { may, node } = rules.rooms[room];
  if (specifier === undefined)
    return node ? undefined : 'imports what it computes, which nobody can check; name it';
  if (target !== undefined) {
    if (target.startsWith('..')) return `imports ${specifier}, which is outside of src/`;
    if (to === undefined) return `imports ${specifier}, which is no file of src/`;
    return judgeRoom(room, may, to, rules);
  }
  return node ? undefined : foreignProblem(specifier, rules);
}

function judgeRoom(room, may, to, rules) {
  const other = roomOf(to, rules);
  if (other === undefined || other === room) return undefined;
  if (!may.includes(other)) {
    return `${room} must not import from ${other} (it may import from ${may.join(', ') || 'nothing'})`;
  }
  return undefined;
}

/** Why something that is not of src/ keeps a file from running in a browser. */
function foreignProblem(specifier, { packages }) {
  if (isBuiltin(specifier)) return `imports ${specifier}, which only Node has; pass in what you need`;
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  if (packages.includes(name)) return undefined;
  return `imports ${name}, which is not listed as running in browsers (scripts/check-imports.mjs)`;
}

/** Whatever an entry reaches, through whatever rooms, must not need Node; each violation comes with the way to it. */
function nodeBelow(entry, graph, rules) {
  const problems = [];
  const ways = new Map([[entry, `src/${entry}`]]);
  for (const [file, way] of ways) {
    for (const { specifier, target, to } of graph.get(file) ?? []) {
      if (to !== undefined && !ways.has(to)) ways.set(to, `${way} > ${to}`);
      const problem =
        specifier === undefined
          ? 'imports what it computes'
          : target === undefined && foreignProblem(specifier, rules);
      if (problem) problems.push(`src/${entry} must run in a browser, but ${way} ${problem}`);
    }
  }
  return problems;
}

/** Files that import each other in a circle, be it of types alone: one line for each group (Tarjan's algorithm). */
function circles(graph) {
  const problems = [];
  const order = new Map();
  const lowest = new Map();
  const stack = [];
  const visit = (file) => {
    order.set(file, order.size);
    lowest.set(file, order.get(file));
    stack.push(file);
    for (const { to } of graph.get(file) ?? []) {
      if (to === undefined || to === file) continue;
      if (!order.has(to)) visit(to);
      if (stack.includes(to)) lowest.set(file, Math.min(lowest.get(file), lowest.get(to)));
    }
    if (lowest.get(file) !== order.get(file)) return;
    const group = stack.splice(stack.indexOf(file));
    if (group.length > 1)
      problems.push(`src/: these files import each other in a circle: ${group.sort().join(', ')}`);
  };
  for (const file of graph.keys()) if (!order.has(file)) visit(file);
  return problems;
}
