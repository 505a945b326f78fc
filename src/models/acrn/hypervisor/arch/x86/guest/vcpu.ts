import { source } from '../../../../../../engine/fn';
import { at, atCall, signal } from '../../../../../../engine/steps';
import { vm_entry, VMX_EXIT_REASONS } from '../../../../../hardware/vmx_cpu';
import { bitmap_assign } from '../../../bitmaps';
import type { AcrnVcpu } from '../../../include/arch/x86/asm/guest/vcpu';
import { on_pcpu } from '../../../include/arch/x86/asm/per_cpu';
import { kick_pcpu } from '../lapic';
import { vcpu_make_request } from './virq';
import { load_vmcs } from './vmcs';
import { apicv_advanced_ops } from './vlapic';

/** vCPUs: the part of them that interrupt delivery uses. */

const { fn } = source('acrn', 'hypervisor/arch/x86/guest/vcpu.c');

export const kick_vcpu = fn(
  'Makes the vCPU look at its requests: an IPI if it is running guest code on another CPU right now. If it is not, it looks before its next entry anyway.',
  function* kick_vcpu(vcpu: AcrnVcpu) {
    at('vmcs_run');
    if (!on_pcpu(vcpu.pcpu) && vcpu.pcpu.vmcs_run !== 0) yield* kick_pcpu(vcpu.pcpu);
  },
);

export const vcpu_set_vmcs_eoi_exit = fn(
  'Tells the CPU which EOIs shall exit. Only a CPU that virtualizes EOIs has to be told.',
  function* vcpu_set_vmcs_eoi_exit(vcpu: AcrnVcpu) {
    atCall('is_apicv_advanced_feature_supported');
    if (vcpu.vlapic.ops !== apicv_advanced_ops) return;
    atCall('exec_vmwrite64');
    for (const word of [0, 1, 2, 3, 4, 5, 6, 7] as const) {
      const wanted = vcpu[`arch.eoi_exit_bitmap[${word}]`];
      if (vcpu.vmcs[`VMX_EOI_EXIT[${word}]`] !== wanted) vcpu.vmcs[`VMX_EOI_EXIT[${word}]`] = wanted;
    }
  },
);

export const vcpu_set_eoi_exit_bitmap = fn(
  'A vector became level-triggered: the vIOAPIC has to hear of its EOI, so the EOI must exit.',
  function* vcpu_set_eoi_exit_bitmap(vcpu: AcrnVcpu, vector: number) {
    atCall('bitmap_test_and_set_lock');
    if (!bitmap_assign(vcpu, 'arch.eoi_exit_bitmap', vector, true)) yield* vcpu_make_request(vcpu, 'ACRN_REQUEST_EOI_EXIT_BITMAP_UPDATE');
  },
);

export const vcpu_clear_eoi_exit_bitmap = fn(
  'A vector became edge-triggered: nobody waits for its EOI any more.',
  function* vcpu_clear_eoi_exit_bitmap(vcpu: AcrnVcpu, vector: number) {
    atCall('bitmap_test_and_clear_lock');
    if (bitmap_assign(vcpu, 'arch.eoi_exit_bitmap', vector, false)) yield* vcpu_make_request(vcpu, 'ACRN_REQUEST_EOI_EXIT_BITMAP_UPDATE');
  },
);

export const context_switch_in = fn(
  'The scheduler gives the physical CPU to a vCPU: its VMCS is loaded, so that a kick finds it.',
  function* context_switch_in(vcpu: AcrnVcpu) {
    yield* load_vmcs(vcpu);
  },
);

export const launch_vcpu = fn('Lets a vCPU’s thread run.', function* launch_vcpu(vcpu: AcrnVcpu) {
  vcpu.launchedBy = signal('wake-up', 'wake_thread');
});

export const run_vcpu = fn('Enters the guest, and returns when it has left it again: with the reason.', function* run_vcpu(vcpu: AcrnVcpu) {
  atCall('exec_vmentry');
  yield* vm_entry(vcpu);
  vcpu['arch.exit_reason'] = VMX_EXIT_REASONS[vcpu.cpu.exit!.reason];
  return 0;
});
