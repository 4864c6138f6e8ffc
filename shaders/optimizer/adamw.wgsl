// One AdamW step in PyTorch's formulation (decoupled weight decay), in place on p, m and v, all f32:
//   g = scale * g;  m += (1 - beta1) (g - m);  v = beta2 v + (1 - beta2) g^2
//   p = (1 - lr decay) p - lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
// The host computes the step-dependent factors in f64 and passes them as parameters of the launch.
// CONTROL: `scale` comes from control[1] as well, and nothing is written if control[2] (see optimizer/norm.wgsl) is set.
// Where parameters are f16 or bf16, p is the f32 master copy, and `stored` receives it rounded to the parameter's own dtype.
// SGD: p = (1 - lr decay) p - lr g; no m and v. Memory bound, so the arithmetic is free on a GPU.
// VEC4 (size a multiple of 4) moves four elements per invocation; the plain variant moves a pair, so that a 16-bit copy
// is written whole words at a time for any size.
// One launch serves TENSORS parameters: a launch costs more than the update of a small tensor (biases, norms, LoRA).
// Grid: x (and z, folded) over elements, as many as the largest tensor needs; y over tensors.
#define TENSORS 1..3 // parameters per launch
#define VEC4         // four elements per invocation
#define CONTROL      // scale by, and obey, `control`
#define SGD          // no moments
#include "common/encode.wgsl"

struct Params {
#for i in 0..TENSORS
  size${i}: u32,
#endfor
  scale: f32, decay: f32, stepSize: f32,
#if !SGD
  rate1: f32, beta2: f32, rate2: f32, correction2: f32, eps: f32,
#endif
}
#params Params

#if VEC4
alias Values = vec4f;
alias Element = vec4f;
#else
alias Values = vec2f;
alias Element = f32;
#endif

#for i in 0..TENSORS
var<storage, read> g${i}: array<Element>;
var<storage, read_write> p${i}: array<Element>;
#if !SGD
var<storage, read_write> m${i}: array<Element>;
var<storage, read_write> v${i}: array<Element>;
#endif
#if STORED != "f32" && VEC4
var<storage, read_write> stored${i}: array<FourStored>;
#elif STORED != "f32"
var<storage, read_write> stored${i}: array<u32>;
#endif
#endfor
#if CONTROL
var<storage, read> control: array<f32>;
#endif

override WORKGROUP: u32 = 64;

#for i in 0..TENSORS
fn update${i}(at: u32, scale: f32) {
#if VEC4
  if (4u * at >= params.size${i}) { return; }
  let grad = scale * g${i}[at];
  let before = p${i}[at];
#else
  if (2u * at >= params.size${i}) { return; }
  // With an odd size the last pair is one element twice; both writes then carry the same value.
  let first = 2u * at;
  let second = min(first + 1u, params.size${i} - 1u);
  let grad = scale * vec2f(g${i}[first], g${i}[second]);
  let before = vec2f(p${i}[first], p${i}[second]);
#endif
#if SGD
  let after = params.decay * before - params.stepSize * grad;
#else
#if VEC4
  let oldM = m${i}[at];
  let oldV = v${i}[at];
#else
  let oldM = vec2f(m${i}[first], m${i}[second]);
  let oldV = vec2f(v${i}[first], v${i}[second]);
#endif
  let newM = oldM + params.rate1 * (grad - oldM);
  let newV = params.beta2 * oldV + params.rate2 * grad * grad;
  let after = params.decay * before
    - params.stepSize * newM / (sqrt(newV) * params.correction2 + Values(params.eps));
#if VEC4
  m${i}[at] = newM;
  v${i}[at] = newV;
#else
  m${i}[first] = newM.x;
  m${i}[second] = newM.y;
  v${i}[first] = newV.x;
  v${i}[second] = newV.y;
#endif
#endif
#if VEC4
  p${i}[at] = after;
#if STORED != "f32"
  stored${i}[at] = encodeFour(after);
#endif
#else
  p${i}[first] = after.x;
  p${i}[second] = after.y;
#if STORED != "f32"
  stored${i}[at] = encodePair(after);
#endif
#endif
}
#endfor

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = (group.x + group.z * groups.x) * WORKGROUP + lane;
  var scale = params.scale;
#if CONTROL
  if (control[2] != 0.0) { return; }
  scale *= control[1];
#endif
  switch group.y {
#for i in 0..TENSORS
    case ${i}u: { update${i}(at, scale); }
#endfor
    default: {}
  }
}
