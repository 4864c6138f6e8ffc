// The operator of elementwise/binary.wgsl and elementwise/broadcast.wgsl, on the including file's Value.
fn apply(a: Value, b: Value) -> Value {
#if ADD
  return a + b;
#elif SUB
  return a - b;
#elif MUL
  return a * b;
#elif DIV
  return a / b;
#endif
}
