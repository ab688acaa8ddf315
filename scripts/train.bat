@ECHO OFF
REM Trains the models of tokens that wait for one; "train.bat all" trains every token.
SETLOCAL
CD /D "%~dp0.."
CALL "%~dp0setup.bat" || EXIT /B 1
IF "%~1"=="" (
    ".venv\Scripts\python.exe" bot.py train pending
) ELSE (
    ".venv\Scripts\python.exe" bot.py train %*
)
EXIT /B %ERRORLEVEL%
