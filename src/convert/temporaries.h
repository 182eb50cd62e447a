// What is to be gone if the process ends before its work is done.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

namespace h5bridge {

/// A file or a folder that is made beside a destination, until it is in place or removed.
void note_temporary(const std::string& path);
void forget_temporary(const std::string& path);

/// Removes all that are noted, with what is in them. What goes on writing them writes nowhere.
void remove_temporaries() noexcept;

/// How many bytes they have by now.
std::uint64_t bytes_in_temporaries() noexcept;

/// While this is held they are not removed: several destinations are replaced as one.
[[nodiscard]] std::unique_lock<std::recursive_mutex> keep_temporaries();

}  // namespace h5bridge
