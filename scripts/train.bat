@ECHO OFF
REM Trains the models of tokens that wait for one; "train.bat all" trains every token.
SETLOCAL
SET "PY=python"
WHERE /Q py
IF %ERRORLEVEL% EQU 0 SET "PY=py -3"
SET "WHAT=%*"
IF "%~1"=="" SET "WHAT=pending"
%PY% "%~dp0setup_env.py" --run bot.py train %WHAT%
EXIT /B %ERRORLEVEL%
