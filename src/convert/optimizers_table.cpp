#include "convert/schema.h"
#include "optimizers/optimizer_mapping.h"

namespace h5bridge {
namespace {

std::string row_of(const std::string& torch, const std::string& keras, const std::string& remark = "") {
  return "| `" + torch + "` | `" + keras + "` | " + remark + (remark.empty() ? "|\n" : " |\n");
}

std::string remark_of(const SlotMapping& slot) {
  std::string result = "a slot";
  if (slot.times_lr != 0)
    result += std::string(", in Keras times ") + (slot.times_lr < 0 ? "-" : "") + "lr: it keeps steps there";
  if (!slot.needs.empty()) result += ", with `" + slot.needs + "`";
  if (!slot.initial.empty()) result += ", which starts at `" + slot.initial + "`";
  return result;
}

std::string decay_of(const OptimizerMapping& mapping) {
  switch (mapping.weight_decay) {
    case WeightDecay::Decoupled: return "the same";
    case WeightDecay::InPlainGradient: return "the same without momentum; with it, said and left out";
    case WeightDecay::InGradient: break;
  }
  return "said and left out: PyTorch's is part of the gradient, Keras's shrinks the weights" +
         (mapping.decoupled.empty() ? "" : "; Keras's is that of PyTorch's " + mapping.decoupled);
}

std::string section_of(const OptimizerMapping& mapping) {
  std::string result = "\n## " + mapping.kind + "\n| torch.optim." + mapping.kind + " | keras.optimizers." +
                       mapping.class_name + " | |\n| --- | --- | --- |\n";
  for (const Correspondence& row : mapping.hyperparameters) {
    const bool is_epsilon = row.keras == "epsilon" && !mapping.epsilon.keras.empty();
    result +=
        row_of(row.attribute, row.keras,
               is_epsilon ? "PyTorch divides by " + mapping.epsilon.torch + ", Keras by " + mapping.epsilon.keras : "");
  }
  if (mapping.torch_defaults.contains("betas")) result += row_of("betas", "beta_1, beta_2");
  result += row_of("weight_decay", "weight_decay", decay_of(mapping));
  for (const SlotMapping& slot : mapping.slots) result += row_of(slot.torch, slot.keras, remark_of(slot));
  return result + (mapping.counts_steps ? row_of("step", "iteration", "how many steps there were")
                                        : "| | `iteration` | PyTorch does not count |\n");
}

}  // namespace

std::string optimizers_table() {
  std::string result =
      "# Optimizers\n\n"
      "What of an optimizer is carried between PyTorch and Keras. Generated from the definitions in\n"
      "`src/optimizers/` by `h5bridge_generate`; a test compares this copy. Everything else is said in a note\n"
      "when it is left out, and refused with `--lossless`: `dampening`, `maximize`, `lr_decay` and the like, and\n"
      "Keras's `clipnorm`, `global_clipnorm`, `clipvalue`, `use_ema`, `loss_scale_factor`,\n"
      "`gradient_accumulation_steps` and schedules, of which PyTorch gets the learning rate that they give now.\n"
      "On the way home it is there again: PyTorch's settings stand in the `.h5` beside what Keras reads (until\n"
      "Keras saves it), Keras's in a member `keras` of a checkpoint's `param_groups`, which PyTorch keeps. What\n"
      "was changed meanwhile stays changed.\n\n"
      "Groups that differ in `weight_decay` alone, some of them without, become one optimizer, and a note has\n"
      "the call of `exclude_from_weight_decay` that does the same in Keras. Groups that differ otherwise are\n"
      "refused.\n";
  for (const OptimizerMapping& mapping : optimizer_mappings()) result += section_of(mapping);
  return result;
}

}  // namespace h5bridge
