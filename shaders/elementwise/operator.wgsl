// The operator of elementwise/binary.wgsl and elementwise/broadcast.wgsl, on the including file's Value.
#define OPERATOR "add" | "sub" | "mul" | "div" // OP

fn apply(a: Value, b: Value) -> Value {
#if OPERATOR == "add"
  return a + b;
#elif OPERATOR == "sub"
  return a - b;
#elif OPERATOR == "mul"
  return a * b;
#elif OPERATOR == "div"
  return a / b;
#endif
}
