// What an archive of PyTorch's holds besides what PyTorch reads.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace h5bridge {

/// By their names behind the archive's folder ("extra/note.txt"), in their order.
using ArchiveRecords = std::vector<std::pair<std::string, std::string>>;

}  // namespace h5bridge
