{ pkgs }: {
  deps = [
    pkgs.python311
    # OpenMP's run-time library, for LightGBM.
    pkgs.gcc.cc.lib
  ];
  env.LD_LIBRARY_PATH = pkgs.lib.makeLibraryPath [ pkgs.gcc.cc.lib ];
}
