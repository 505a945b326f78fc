import { int, struct, type InstanceOf } from '../../../engine/cell';
import { architecturally, source, through, type Pointer } from '../../../engine/fn';
import type { Run } from '../../../engine/machine';
import { atCall } from '../../../engine/steps';

/** Open files: several may hold one, and the last who lets go closes it. */

const FileCells = struct('file', 'An open file. f_count: who holds it, a descriptor or something in the kernel.', { f_count: int(1) });

export type File = InstanceOf<typeof FileCells> & {
  readonly name: string;
  /** `f_op->release`, with the file filled in. */
  readonly release: Pointer<[], void>;
  released: boolean;
};

/** Makes a file that is open already: once, for whoever opened it. */
export const file = (name: string, release: Pointer<[], void>): File => Object.assign(FileCells(name), { name, release, released: false });

/** The open files of a process. */
export interface FilesStruct {
  readonly files: File[];
}

/** fput(), in the function that is executing: holds the file no longer. Who was the last does not close it, its task does on the way out of the kernel. */
export function fput(held: File): void {
  atCall('fput');
  held.f_count -= 1;
}

/** get_file(). */
export function get_file(held: File): void {
  atCall('get_file');
  held.f_count += 1;
}

const { fn } = source('linux', 'fs/file_table.c');

const __fput = fn('Nobody holds the file any more: closes it.', function* __fput({ release }: File) {
  yield* through('function pointer', 'release', release)();
});

/** close(2), made by a program: gives up its descriptor. On the way back the kernel closes what nobody holds any more. */
export function* close(process: FilesStruct, fd: File): Run {
  atCall('close');
  fd.f_count -= 1;
  yield* return_to_user(process);
}

/** The way back to user space: files whose last holder was inside of the kernel are closed here, with none of its locks held. */
export function* return_to_user({ files }: FilesStruct): Run {
  for (;;) {
    // task_work_run() takes all that is there, the newest first; what that leaves behind is another round.
    const works = files.filter(({ f_count, released }) => f_count === 0 && !released).reverse();
    if (works.length === 0) return;
    for (const last of works) {
      last.released = true;
      yield* architecturally('syscall', __fput)(last);
    }
  }
}
