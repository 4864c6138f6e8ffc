// One store by one invocation: what a dispatch costs besides its work.
struct Params { value: f32 }
#params Params

var<storage, read_write> sink: array<f32>;

@compute @workgroup_size(1)
fn main() {
  sink[0] = params.value;
}
