/** As much of the Protocol Buffers wire format as the logs of TensorBoard and Weights & Biases need. */

/** Bytes of fields, one after another. */
export class ProtoWriter {
  readonly #bytes: number[] = [];

  /** A double. */
  double(field: number, value: number): this {
    this.#tag(field, 1);
    this.#push(new Uint8Array(new Float64Array([value]).buffer));
    return this;
  }

  /** A float. */
  float(field: number, value: number): this {
    this.#tag(field, 5);
    this.#push(new Uint8Array(new Float32Array([value]).buffer));
    return this;
  }

  /** A non-negative integer. */
  integer(field: number, value: number): this {
    this.#tag(field, 0);
    this.#varint(value);
    return this;
  }

  /** Text. */
  text(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  /** A message, or bytes. */
  bytes(field: number, value: Uint8Array): this {
    this.#tag(field, 2);
    this.#varint(value.length);
    this.#push(value);
    return this;
  }

  /** What was written. */
  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  #tag(field: number, wireType: number): void {
    this.#varint(field * 8 + wireType);
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.#bytes.push((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    this.#bytes.push(rest);
  }

  #push(bytes: Uint8Array): void {
    for (const byte of bytes) this.#bytes.push(byte);
  }
}
