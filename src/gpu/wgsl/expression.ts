/** Expressions of WGSL directives: integers, names and "words", with || && == != < <= > >= + - * / % ! and parentheses. */
import { fail, type Line } from './source.js';

/** What a name may stand for. */
export type Value = number | string;

/** A parsed expression. */
export type Expression =
  | { readonly kind: 'value'; readonly value: Value }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'unary'; readonly op: '!' | '-'; readonly of: Expression }
  | { readonly kind: 'binary'; readonly op: string; readonly left: Expression; readonly right: Expression };

const BINARY: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['==', '!='],
  ['<=', '>=', '<', '>'],
  ['+', '-'],
  ['*', '/', '%'],
];

const TOKEN = /\s*(\d+|\w+|"[^"]*"|\|\||&&|[=!<>]=|[<>+\-*/%!()])/y;

/** Reads an expression that stands on `line`. */
export function parse(text: string, line: Line): Expression {
  const tokens = tokenise(text, line);
  let at = 0;
  const unary = (): Expression => {
    const token = tokens[at++];
    if (token === undefined) throw fail(line, `incomplete expression ${text}`);
    if (token === '!' || token === '-') return { kind: 'unary', op: token, of: unary() };
    if (token === '(') {
      const inner = binary(0);
      if (tokens[at++] !== ')') throw fail(line, `missing ) in ${text}`);
      return inner;
    }
    if (/^\d/.test(token)) return { kind: 'value', value: Number(token) };
    if (token.startsWith('"')) return { kind: 'value', value: token.slice(1, -1) };
    if (/^\w/.test(token)) return { kind: 'name', name: token };
    throw fail(line, `cannot read ${text}`);
  };
  const binary = (level: number): Expression => {
    if (level === BINARY.length) return unary();
    let left = binary(level + 1);
    while (BINARY[level].includes(tokens[at])) {
      left = { kind: 'binary', op: tokens[at++], left, right: binary(level + 1) };
    }
    return left;
  };
  const expression = binary(0);
  if (at !== tokens.length) throw fail(line, `cannot read ${text}`);
  return expression;
}

function tokenise(text: string, line: Line): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  for (let at = 0; text.slice(at).trim() !== ''; at = TOKEN.lastIndex) {
    const token = TOKEN.exec(text)?.[1];
    if (token === undefined) throw fail(line, `cannot read ${text}`);
    tokens.push(token);
  }
  return tokens;
}

/** The value of an expression whose names stand for `values`. */
export function evaluate(expression: Expression, values: ReadonlyMap<string, Value>, line: Line): Value {
  switch (expression.kind) {
    case 'value':
      return expression.value;
    case 'name': {
      const value = values.get(expression.name);
      if (value === undefined) throw fail(line, `${expression.name} has no value`);
      return value;
    }
    case 'unary': {
      const of = Number(evaluate(expression.of, values, line));
      return expression.op === '-' ? -of : Number(of === 0);
    }
    case 'binary':
      return apply(
        expression.op,
        evaluate(expression.left, values, line),
        evaluate(expression.right, values, line),
      );
  }
}

function apply(op: string, left: Value, right: Value): number {
  if (op === '==') return Number(left === right);
  if (op === '!=') return Number(left !== right);
  const [a, b] = [Number(left), Number(right)];
  switch (op) {
    case '||':
      return Number(a !== 0 || b !== 0);
    case '&&':
      return Number(a !== 0 && b !== 0);
    case '<':
      return Number(a < b);
    case '<=':
      return Number(a <= b);
    case '>':
      return Number(a > b);
    case '>=':
      return Number(a >= b);
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return Math.trunc(a / b);
    default:
      return a % b;
  }
}
