// npz: named arrays as numpy.load() reads them, a zip archive of .npy arrays of 32-bit floats.
import { zipSync } from "fflate";
import type { NumberArray } from "./data.ts";

/** numpy's format version 1.0 (numpy.lib.format): magic, header length, a dict padded to 64 bytes, the elements. */
export function npy(array: NumberArray): Uint8Array<ArrayBuffer> {
  const shape = array.shape.length === 1 ? `${array.shape[0]},` : array.shape.join(", ");
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape}), }`;
  const length = Math.ceil((10 + header.length + 1) / 64) * 64;
  const bytes = new Uint8Array(length + 4 * array.values.length);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, (length - 10) & 255, (length - 10) >> 8]);
  bytes.set(new TextEncoder().encode(header.padEnd(length - 11) + "\n"), 10);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < array.values.length; i++) view.setFloat32(length + 4 * i, array.values[i], true);
  return bytes;
}

export function npz(arrays: Iterable<readonly [string, NumberArray]>): Uint8Array<ArrayBuffer> {
  const files = Object.fromEntries([...arrays].map(([name, array]) => [`${name}.npy`, npy(array)]));
  return zipSync(files, { level: 0, mtime: new Date(1980, 0, 1) }) as Uint8Array<ArrayBuffer>;
}
