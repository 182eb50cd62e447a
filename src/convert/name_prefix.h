// The prefix that a wrapper puts before every name of a state_dict.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace h5bridge {

/// What is to be taken off all `names` so that most of them are `known`: "module." of nn.DataParallel, "_orig_mod." of
/// torch.compile, the attribute of a LightningModule that holds the network. Empty where nothing makes it better.
std::string wrapper_prefix(const std::vector<std::string>& names, const std::set<std::string>& known);

/// Whether a wrapper calls a tensor of its own so, beside those of the network: the "n_averaged" of
/// torch.optim.swa_utils.AveragedModel.
bool is_averages_counter(const std::string& name);

}  // namespace h5bridge
