// Peak arithmetic: 16 independent multiply-add chains per invocation, 16 steps per loop turn, no memory traffic but one
// store that keeps the compiler honest. TYPE_F16 uses pairs of f16, which hardware with packed half math does at once.
#define TYPE_F16 // pairs of f16 in place of f32

#if TYPE_F16
enable f16;
#endif

struct Params { turns: u32 }
#params Params

var<storage, read_write> sink: array<f32>;

override WORKGROUP: u32 = 64;

#if TYPE_F16
alias Value = vec2h;
#else
alias Value = f32;
#endif

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
#if TYPE_F16
  let start = vec2h(f16(id.x & 255u) * 0.001h);
  let scale = vec2h(0.75h);
  let shift = vec2h(0.125h);
#else
  let start = f32(id.x & 255u) * 0.001;
  let scale = 0.75;
  let shift = 0.125;
#endif
#for c in 0..16
  var v${c} = start + Value(${c});
#endfor
  for (var turn = 0u; turn < params.turns; turn++) {
#for step in 0..16
#for c in 0..16
    v${c} = fma(v${c}, Value(scale), Value(shift));
#endfor
#endfor
  }
  var sum = v0;
#for c in 1..16
  sum += v${c};
#endfor
#if TYPE_F16
  sink[id.x] = f32(sum.x + sum.y);
#else
  sink[id.x] = sum;
#endif
}
