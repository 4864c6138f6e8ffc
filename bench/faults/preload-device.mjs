/** Loaded before a run: its device is lost after `FAULT_AFTER` milliseconds of use. */
import { globals } from 'webgpu';

const { requestDevice } = globals.GPUAdapter.prototype;
globals.GPUAdapter.prototype.requestDevice = async function (...words) {
  const device = await requestDevice.apply(this, words);
  setTimeout(() => device.destroy(), Number(process.env.FAULT_AFTER)).unref();
  return device;
};
