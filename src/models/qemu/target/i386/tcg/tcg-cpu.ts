import { source } from '../../../../../engine/fn';
import { x86_cpu_exec_interrupt } from './sysemu/seg_helper';

const { ops } = source('qemu', 'target/i386/tcg/tcg-cpu.c');

/** What TCG needs of an x86 CPU. */
export const x86_tcg_ops = ops('x86_tcg_ops', { cpu_exec_interrupt: x86_cpu_exec_interrupt });
