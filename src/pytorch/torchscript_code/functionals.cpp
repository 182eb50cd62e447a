#include "pytorch/torchscript_code/attention.h"
#include "pytorch/torchscript_code/library.h"

namespace h5bridge::torch_script {
namespace {

// As torch/nn/functional.py and torch/functional.py define them.
const std::map<std::string_view, const char*> kSources{
    {"tanhshrink", R"(def tanhshrink(input: Tensor) -> Tensor:
  return input - input.tanh()
)"},
    {"softsign", R"(def softsign(input: Tensor) -> Tensor:
  return input / (input.abs() + 1)
)"},
    {"softmin", R"(def softmin(input: Tensor, dim: int) -> Tensor:
  return torch.softmax(-input, dim)
)"},
    {"relu6", R"(def relu6(input: Tensor) -> Tensor:
  return torch.hardtanh(input, 0.0, 6.0)
)"},
    {"own_sizes", R"(def own_sizes(input: Tensor, size: List[Optional[int]]) -> List[int]:
  sizes: List[int] = []
  given = input.shape[input.ndim - len(size):]
  for i in range(len(size)):
    own = size[i]
    if own is None:
      sizes.append(given[i])
    else:
      sizes.append(own)
  return sizes
)"},
    {"adaptive_avg_pool2d", R"(def adaptive_avg_pool2d(input: Tensor, output_size: List[Optional[int]]) -> Tensor:
  return torch.adaptive_avg_pool2d(input, F.own_sizes(input, output_size))
)"},
    {"adaptive_avg_pool3d", R"(def adaptive_avg_pool3d(input: Tensor, output_size: List[Optional[int]]) -> Tensor:
  return torch.adaptive_avg_pool3d(input, F.own_sizes(input, output_size))
)"},
    {"adaptive_max_pool2d", R"(def adaptive_max_pool2d(input: Tensor, output_size: List[Optional[int]]) -> Tensor:
  return torch.adaptive_max_pool2d(input, F.own_sizes(input, output_size))[0]
)"},
    {"adaptive_max_pool3d", R"(def adaptive_max_pool3d(input: Tensor, output_size: List[Optional[int]]) -> Tensor:
  return torch.adaptive_max_pool3d(input, F.own_sizes(input, output_size))[0]
)"},
    {"adaptive_max_pool2d_with_indices",
     R"(def adaptive_max_pool2d_with_indices(input: Tensor, output_size: List[Optional[int]]) -> Tuple[Tensor, Tensor]:
  return torch.adaptive_max_pool2d(input, F.own_sizes(input, output_size))
)"},
    {"adaptive_max_pool3d_with_indices",
     R"(def adaptive_max_pool3d_with_indices(input: Tensor, output_size: List[Optional[int]]) -> Tuple[Tensor, Tensor]:
  return torch.adaptive_max_pool3d(input, F.own_sizes(input, output_size))
)"},
    {"adaptive_max_pool1d", R"(def adaptive_max_pool1d(input: Tensor, output_size: List[int]) -> Tensor:
  return torch.adaptive_max_pool1d(input, output_size)[0]
)"},
    {"embedding", R"(def embedding(input: Tensor, weight: Tensor, padding_idx: int=-1, scale_grad_by_freq: bool=False,
    sparse: bool=False) -> Tensor:
  return torch.embedding(weight, input, padding_idx, scale_grad_by_freq, sparse)
)"},
    {"batch_norm", R"(def batch_norm(input: Tensor, running_mean: Optional[Tensor], running_var: Optional[Tensor],
    weight: Optional[Tensor]=None, bias: Optional[Tensor]=None, training: bool=False, momentum: float=0.1,
    eps: float=1e-05) -> Tensor:
  return torch.batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps, True)
)"},
    {"instance_norm", R"(def instance_norm(input: Tensor, running_mean: Optional[Tensor]=None,
    running_var: Optional[Tensor]=None, weight: Optional[Tensor]=None, bias: Optional[Tensor]=None,
    use_input_stats: bool=True, momentum: float=0.1, eps: float=1e-05) -> Tensor:
  return torch.instance_norm(input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, True)
)"},
    {"grid_sample", R"(def grid_sample(input: Tensor, grid: Tensor, mode: str="bilinear", padding_mode: str="zeros",
    align_corners: bool=False) -> Tensor:
  interpolation = 0
  if mode == "nearest":
    interpolation = 1
  if mode == "bicubic":
    interpolation = 2
  padding = 0
  if padding_mode == "border":
    padding = 1
  if padding_mode == "reflection":
    padding = 2
  return torch.grid_sampler(input, grid, interpolation, padding, align_corners)
)"},
    {"affine_grid", R"(def affine_grid(theta: Tensor, size: List[int], align_corners: bool=False) -> Tensor:
  return torch.affine_grid_generator(theta, size, align_corners)
)"},
    {"normalize", R"(def normalize(input: Tensor, p: float=2.0, dim: List[int]=[1], eps: float=1e-12) -> Tensor:
  norm = torch.linalg_vector_norm(input, p, dim, True)
  return input / norm.clamp_min(eps).expand_as(input)
)"},
    {"local_response_norm", R"(def local_response_norm(input: Tensor, size: int, alpha: float, beta: float,
    k: float) -> Tensor:
  div = (input * input).unsqueeze(1)
  if input.ndim == 3:
    div = torch.pad(div, [0, 0, size // 2, (size - 1) // 2])
    div = torch.avg_pool2d(div, [size, 1], 1).squeeze(1)
  else:
    sizes = input.shape
    div = div.view([sizes[0], 1, sizes[1], sizes[2], -1])
    div = torch.pad(div, [0, 0, 0, 0, size // 2, (size - 1) // 2])
    div = torch.avg_pool3d(div, [size, 1, 1], 1).squeeze(1)
    div = div.view(sizes)
  return input / (div * alpha + k).pow(beta)
)"},
    {"lp_pool1d", R"(def lp_pool1d(input: Tensor, norm_type: float, kernel_size: List[int],
    stride: Optional[List[int]]=None, ceil_mode: bool=False) -> Tensor:
  step = kernel_size
  if stride is not None:
    step = stride
  if norm_type == inf:
    return torch.max_pool1d(input.abs(), kernel_size, step, 0, 1, ceil_mode)
  if norm_type == -inf:
    return -torch.max_pool1d(-input.abs(), kernel_size, step, 0, 1, ceil_mode)
  out = torch.avg_pool1d(input.pow(norm_type), kernel_size, step, 0, ceil_mode)
  count = kernel_size[0]
  return (torch.sign(out) * torch.relu(torch.abs(out)) * count).pow(1.0 / norm_type)
)"},
    {"lp_pool2d", R"(def lp_pool2d(input: Tensor, norm_type: float, kernel_size: List[int],
    stride: Optional[List[int]]=None, ceil_mode: bool=False) -> Tensor:
  step = kernel_size
  if stride is not None:
    step = stride
  if norm_type == inf:
    return torch.max_pool2d(input.abs(), kernel_size, step, 0, 1, ceil_mode)
  if norm_type == -inf:
    return -torch.max_pool2d(-input.abs(), kernel_size, step, 0, 1, ceil_mode)
  out = torch.avg_pool2d(input.pow(norm_type), kernel_size, step, 0, ceil_mode)
  count = kernel_size[0] * kernel_size[1]
  return (torch.sign(out) * torch.relu(torch.abs(out)) * count).pow(1.0 / norm_type)
)"},
    {"lp_pool3d", R"(def lp_pool3d(input: Tensor, norm_type: float, kernel_size: List[int],
    stride: Optional[List[int]]=None, ceil_mode: bool=False) -> Tensor:
  step = kernel_size
  if stride is not None:
    step = stride
  if norm_type == inf:
    return torch.max_pool3d(input.abs(), kernel_size, step, 0, 1, ceil_mode)
  if norm_type == -inf:
    return -torch.max_pool3d(-input.abs(), kernel_size, step, 0, 1, ceil_mode)
  out = torch.avg_pool3d(input.pow(norm_type), kernel_size, step, 0, ceil_mode)
  count = kernel_size[0] * kernel_size[1] * kernel_size[2]
  return (torch.sign(out) * torch.relu(torch.abs(out)) * count).pow(1.0 / norm_type)
)"},
    {"torch.cdist", R"(def cdist(x1: Tensor, x2: Tensor, p: float=2.0,
    compute_mode: str="use_mm_for_euclid_dist_if_necessary") -> Tensor:
  mode: Optional[int] = None
  if compute_mode == "use_mm_for_euclid_dist":
    mode = 1
  elif compute_mode == "donot_use_mm_for_euclid_dist":
    mode = 2
  return ops.aten.cdist(x1, x2, p, mode)
)"},
    {"repeated_sizes", R"(def repeated_sizes(input: Tensor, size: Optional[List[int]]) -> Optional[List[int]]:
  if size is None:
    return None
  if len(size) == 1:
    return [size[0] for i in range(input.ndim - 2)]
  return size
)"},
    {"repeated_scales", R"(def repeated_scales(input: Tensor, scales: Optional[List[float]]) -> Optional[List[float]]:
  if scales is None:
    return None
  if len(scales) == 1:
    return [scales[0] for i in range(input.ndim - 2)]
  return scales
)"},
    {"scaled_sizes", R"(def scaled_sizes(input: Tensor, scales: List[float]) -> List[int]:
  sizes = input.shape[2:]
  return [int(sizes[i] * scales[i]) for i in range(len(scales))]
)"},
    {"interpolate",
     R"(def interpolate(input: Tensor, size: Optional[List[int]]=None, scale_factor: Optional[List[float]]=None,
    mode: str="nearest", align_corners: Optional[bool]=None,
    recompute_scale_factor: Optional[bool]=None, antialias: bool=False) -> Tensor:
  sizes = F.repeated_sizes(input, size)
  scales = F.repeated_scales(input, scale_factor)
  if recompute_scale_factor is not None and recompute_scale_factor and scales is not None:
    sizes = F.scaled_sizes(input, scales)
    scales = None
  aligned = False
  if align_corners is not None:
    aligned = align_corners
  axes = input.ndim - 2
  if mode == "nearest":
    if axes == 1:
      return torch.upsample_nearest1d(input, sizes, scales)
    if axes == 2:
      return torch.upsample_nearest2d(input, sizes, scales)
    return torch.upsample_nearest3d(input, sizes, scales)
  if mode == "nearest-exact":
    if axes == 1:
      return torch._upsample_nearest_exact1d(input, sizes, scales)
    if axes == 2:
      return torch._upsample_nearest_exact2d(input, sizes, scales)
    return torch._upsample_nearest_exact3d(input, sizes, scales)
  if mode == "area":
    if sizes is None:
      assert scales is not None
      sizes = F.scaled_sizes(input, scales)
    if axes == 1:
      return torch.adaptive_avg_pool1d(input, sizes)
    if axes == 2:
      return torch.adaptive_avg_pool2d(input, sizes)
    return torch.adaptive_avg_pool3d(input, sizes)
  if mode == "linear":
    return torch.upsample_linear1d(input, sizes, aligned, scales)
  if mode == "trilinear":
    return torch.upsample_trilinear3d(input, sizes, aligned, scales)
  if mode == "bilinear":
    if antialias:
      return torch._upsample_bilinear2d_aa(input, sizes, aligned, scales)
    return torch.upsample_bilinear2d(input, sizes, aligned, scales)
  assert mode == "bicubic"
  if antialias:
    return torch._upsample_bicubic2d_aa(input, sizes, aligned, scales)
  return torch.upsample_bicubic2d(input, sizes, aligned, scales)
)"},
    {"lanczos", R"(def lanczos(input: Tensor, size: Optional[List[int]]=None, scale_factor: Optional[List[float]]=None,
    recompute_scale_factor: Optional[bool]=None) -> Tensor:
  sizes = F.repeated_sizes(input, size)
  scales = F.repeated_scales(input, scale_factor)
  if recompute_scale_factor is not None and recompute_scale_factor and scales is not None:
    sizes = F.scaled_sizes(input, scales)
    scales = None
  return torch._upsample_lanczos2d_aa(input, sizes, False, scales)
)"},
    {"max_unpool", R"(def max_unpool(input: Tensor, indices: Tensor, kernel_size: List[int], stride: List[int],
    padding: List[int], output_size: Optional[List[int]]) -> Tensor:
  axes = len(kernel_size)
  if output_size is not None:
    sizes = output_size
    if len(sizes) > axes:
      sizes = sizes[len(sizes) - axes:]
  else:
    first = input.ndim - axes
    sizes = [(input.shape[first + i] - 1) * stride[i] + kernel_size[i] - 2 * padding[i] for i in range(axes)]
  if axes == 1:
    flat = torch.max_unpool2d(input.unsqueeze(-1), indices.unsqueeze(-1), [sizes[0], 1])
    return flat.squeeze(-1)
  if axes == 2:
    return torch.max_unpool2d(input, indices, sizes)
  return torch.max_unpool3d(input, indices, sizes, stride, padding)
)"},
};

const std::map<std::string_view, std::string_view> kAtenNames{
    {"logsigmoid", "log_sigmoid"},
    {"max_pool1d_with_indices", "max_pool1d_with_indices"},
    {"adaptive_max_pool1d_with_indices", "adaptive_max_pool1d"},
};

}  // namespace

std::string aten_name(std::string_view functional) {
  const auto found = kAtenNames.find(functional);
  return std::string(found == kAtenNames.end() ? functional : found->second);
}

const char* functional_source(std::string_view functional) {
  for (const auto* sources : {&kSources, &attention_functions()})
    if (const auto found = sources->find(functional); found != sources->end()) return found->second;
  return nullptr;
}

}  // namespace h5bridge::torch_script
