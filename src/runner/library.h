// The library that links LibTorch, loaded when something of it is first asked for.
#pragma once

namespace h5bridge {

/// A function of it, by its name. Throws SystemFailure if the program was built without LibTorch.
void* torch_function_named(const char* name);

/// Begins to load it in a thread, for a program that will need it and has other work until then. A program that has
/// called this ends by std::_Exit, as the thread may still be at it.
void load_torch_ahead();

/// Whether it is loaded, or somebody has begun to.
bool is_torch_asked_for();

}  // namespace h5bridge
