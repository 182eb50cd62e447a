// How an exported program's results are nested, which it writes as torch.utils._pytree does.
#pragma once

#include <string>
#include <vector>

namespace h5bridge {

/// The keys of the leaves of a result that is a dict, in order: "logits", "states.0"; nothing for another result, whose
/// leaves go by their order. Throws MalformedFile for a text of another form.
std::vector<std::string> keys_of_leaves(const std::string& treespec);

}  // namespace h5bridge
