// Gradient of vocab/nll.wgsl: dlogp[t] = -g / count (-g without MEAN) where the target counts, else 0. `result` is what
// the forward wrote, `g` the gradient of its first element.
#define MEAN // divide by the number of targets that count

struct Params { size: u32, ignore: i32 }
#params Params

var<storage, read> g: array<f32>;
var<storage, read> targets: array<i32>;
var<storage, read> result: array<f32>;
var<storage, read_write> dlogp: array<f32>;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.size) { return; }
#if MEAN
  let weight = -g[0] / max(result[1], 1.0);
#else
  let weight = -g[0];
#endif
  dlogp[id.x] = select(weight, 0.0, targets[id.x] == params.ignore);
}
