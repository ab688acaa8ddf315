@ECHO OFF
REM Trains the models of tokens that wait for one; "train.bat all" trains every token.
SETLOCAL
SET "PY=python"
py -3 -c "" >NUL 2>NUL
IF %ERRORLEVEL% EQU 0 SET "PY=py -3"
%PY% "%~dp0setup_env.py" --run bot.py train %*
EXIT /B %ERRORLEVEL%
