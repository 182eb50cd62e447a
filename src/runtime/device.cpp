#include "runtime/device.h"

#include <charconv>
#include <optional>

#include "h5bridge/error.h"

namespace h5bridge {
namespace {

std::optional<torch::DeviceIndex> index_from(std::string_view digits) {
  torch::DeviceIndex index = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  if (error != std::errc{} || end != digits.data() + digits.size() || index < 0) return std::nullopt;
  return index;
}

}  // namespace

torch::Device parse_device(const std::string& text) {
  static const std::string numbered = "cuda:";
  if (text == "cpu") return torch::kCPU;
  if (text == "cuda") return torch::kCUDA;
  if (text.starts_with(numbered))
    if (const auto index = index_from(std::string_view(text).substr(numbered.size()))) return {torch::kCUDA, *index};
  throw UsageError("unknown device \"" + text + "\", expected cpu, cuda or cuda:N");
}

void check_device(torch::Device device) {
  if (device.is_cpu()) return;
  const auto count = static_cast<std::int64_t>(torch::cuda::device_count());
  const std::int64_t index = device.has_index() ? device.index() : 0;
  if (!device.is_cuda()) throw SystemFailure("no such device: " + device.str() + ", expected cpu or one of CUDA");
  if (index >= count)
    throw SystemFailure("no such device: " + device.str() + " (" + std::to_string(count) + " CUDA device" +
                        (count == 1 ? "" : "s") + " found)");
}

}  // namespace h5bridge
