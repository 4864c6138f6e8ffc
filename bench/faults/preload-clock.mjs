/** Loaded before a run: its clock jumps back and forth by hours and years. */
const Real = Date;
let offset = 0;
setInterval(() => {
  offset = (Math.random() - 0.5) * (Math.random() < 0.5 ? 7.2e6 : 1e12);
}, 100).unref();

globalThis.Date = class extends Real {
  constructor(...words) {
    if (words.length === 0) super(Real.now() + offset);
    else super(...words);
  }

  static now() {
    return Real.now() + offset;
  }
};
