import { source } from '../../../../../engine/fn';
import { init_ISA_irqs } from './irqinit';

const { ops } = source('linux', 'arch/x86/kernel/x86_init.c');

/** What a PC's kernel does at boot, as far as no other platform replaces it. */
export const x86_init = () => ops('x86_init', { pre_vector_init: init_ISA_irqs });
