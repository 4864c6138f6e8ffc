// Writes small ONNX models: just enough protobuf for onnxruntime's contestant.

const encoder = new TextEncoder();
const FLOAT = 1;
const INT32 = 6;
const INT64 = 7;
const ATTRIBUTE = { float: 1, int: 2, ints: 7 };

function varint(value) {
  const bytes = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}

function concat(parts) {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

const integer = (field, value) => concat([varint(field << 3), varint(value)]);
const bytes = (field, data) => concat([varint((field << 3) | 2), varint(data.length), data]);
const text = (field, value) => bytes(field, encoder.encode(value));
const message = (field, ...parts) => bytes(field, concat(parts));
const float = (field, value) =>
  concat([varint((field << 3) | 5), new Uint8Array(Float32Array.of(value).buffer)]);

function attribute(name, value) {
  if (Array.isArray(value)) {
    return message(5, text(1, name), ...value.map((v) => integer(8, v)), integer(20, ATTRIBUTE.ints));
  }
  if (name === 'epsilon') return message(5, text(1, name), float(2, value), integer(20, ATTRIBUTE.float));
  return message(5, text(1, name), integer(3, value), integer(20, ATTRIBUTE.int));
}

function valueInfo(field, name, shape, type) {
  const dimensions = shape.map((size) => message(1, integer(1, size)));
  return message(field, text(1, name), message(2, message(1, integer(1, type), message(2, ...dimensions))));
}

function typeOf(data) {
  if (data instanceof Float32Array) return FLOAT;
  return data instanceof BigInt64Array ? INT64 : INT32;
}

/** A graph with one output. Methods return the name of what they add. */
export class OnnxGraph {
  #parts = [];
  #count = 0;

  input(name, { shape, data }) {
    this.#parts.push(valueInfo(11, name, shape, typeOf(data)));
    return name;
  }

  constant({ shape, data }) {
    const name = `c${this.#count++}`;
    const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const sizes = shape.map((size) => integer(1, size));
    this.#parts.push(message(5, ...sizes, integer(2, typeOf(data)), text(8, name), bytes(9, raw)));
    return name;
  }

  /** Attributes are integers, lists of integers, or the float `epsilon`; `domain` as in `com.microsoft`. */
  node(op, inputs, attributes = {}, domain = '') {
    const output = `n${this.#count++}`;
    const described = Object.entries(attributes).map(([name, value]) => attribute(name, value));
    const names = [...inputs.map((name) => text(1, name)), text(2, output), text(3, output)];
    this.#parts.push(message(1, ...names, text(4, op), ...described, text(7, domain)));
    return output;
  }

  reshape(x, shape) {
    const sizes = { shape: [shape.length], data: BigInt64Array.from(shape, BigInt) };
    return this.node('Reshape', [x, this.constant(sizes)]);
  }

  build(output, shape) {
    const graph = message(7, ...this.#parts, text(2, 'bench'), valueInfo(12, output, shape, FLOAT));
    const opsets = [
      message(8, text(1, ''), integer(2, 20)),
      message(8, text(1, 'com.microsoft'), integer(2, 1)),
    ];
    return concat([integer(1, 10), graph, ...opsets]);
  }
}
